;; Divides by zero.
(func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $divide (i32.const 0)))
