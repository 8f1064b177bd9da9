;; Sixty-four notes that share one text of 64 KiB: 4 MiB of result in 128 KiB of memory.
(data (i32.const 1024) "\00\00\00\00\00\00\00\00\00\05\00\00\40\00\00\00")  ;; ok, list at 1280, 64 long
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (local $at i32)
  (local.set $at (i32.const 1280))
  (loop $again
    (i32.store (local.get $at) (i32.const 4))                                ;; note
    (i32.store offset=8 (local.get $at) (i32.const 0x10000))                 ;; text at 64 KiB
    (i32.store offset=12 (local.get $at) (i32.const 0x10000))                ;; 64 KiB long
    (local.set $at (i32.add (local.get $at) (i32.const 64)))
    (br_if $again (i32.lt_u (local.get $at) (i32.const 5376))))
  (i32.const 1024))
