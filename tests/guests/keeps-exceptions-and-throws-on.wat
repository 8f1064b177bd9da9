;; Keeps a million exceptions, each holding the one before, and then throws for ever what it does not keep: there is much to
;; look at, again and again, each time there is no more room.
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
(tag $forgotten)
(func $throw_again
  (loop $again
    (block $caught (result exnref)
      (try_table (catch_ref $forgotten $caught)
        (throw $forgotten))
      (unreachable))
    (drop)
    (br $again)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (local $left i32)
  (local.set $left (i32.const 500000))
  (loop $again
    (call $throw)
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left)))
  (call $throw_again)
  (unreachable))
