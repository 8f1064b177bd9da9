;; A result that lies outside of memory.
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (i32.const 0x7ffffff8))
