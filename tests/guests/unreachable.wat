;; Traps, three calls deep.
(func $innermost (unreachable))
(func $middle (call $innermost))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $middle)
  (i32.const 0))
