;; Throws and catches, again and again, and keeps nothing of it.
(tag $thrown (param i64))
(func $throw_again
  (loop $again
    (block $caught (result i64 exnref)
      (try_table (catch_ref $thrown $caught)
        (throw $thrown (i64.const 1)))
      (unreachable))
    (drop)
    (drop)
    (br $again)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $throw_again)
  (unreachable))
