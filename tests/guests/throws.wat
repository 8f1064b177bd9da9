;; Throws what nobody catches.
(tag $thrown)
(func $innermost
  (throw $thrown))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $innermost)
  (unreachable))
