;; Keeps every exception it caught: each holds the one before.
(tag $thrown (param exnref))
(global $last (mut exnref) (ref.null exn))
(func $throw
  (local $caught exnref)
  (block $caught (result exnref exnref)
    (try_table (catch_ref $thrown $caught)
      (throw $thrown (global.get $last)))
    (unreachable))
  (local.set $caught)
  (drop)
  (global.set $last (local.get $caught)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (loop $again
    (call $throw)
    (br $again))
  (unreachable))
