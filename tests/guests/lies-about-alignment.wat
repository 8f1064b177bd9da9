;; A result at an odd address.
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (i32.const 1025))
