;; Imports no WASI and writes a log in numbers: an error's line, text with a byte of zero in it, then a thousand lines.
(module
  (import "tidegate:plugin/log@1.0.0" "write" (func $write (param i32 i64)))
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
    (local $left i32)
    (call $write (i32.const 1) (i64.const 0x000a6e656b6f7262))
    (call $write (i32.const 0) (i64.const 0x0000000000620061))
    (local.set $left (i32.const 1000))
    (loop $again
      (call $write (i32.const 0) (i64.const 0x0a6465646f6f6c66))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    ;; No decisions.
    (i32.const 1024)))
