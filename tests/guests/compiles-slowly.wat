;; Takes long to compile: the tests make it enormous by repeating the line that says so, thousands of times. Every
;; value of a step depends on all values before it, and each step may be jumped out of.
(func $think (param $a i64) (param $b i64) (result i64)
  (local $c i64)
  (block $out
    ;; repeat
    (local.set $c (i64.add (i64.mul (local.get $a) (local.get $b)) (i64.rotl (local.get $c) (local.get $a)))) (br_if $out (i64.eqz (local.get $c))) (local.set $a (i64.xor (local.get $c) (i64.load (i32.and (i32.wrap_i64 (local.get $b)) (i32.const 4088))))) (local.set $b (i64.sub (local.get $a) (local.get $c)))
  )
  (local.get $c))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (i32.wrap_i64 (call $think (i64.const 1) (i64.const 2))))
