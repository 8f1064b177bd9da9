;; Reads past the end of its memory.
(func $read_outside (result i32) (i32.load (i32.const 0x7fff0000)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $read_outside))
