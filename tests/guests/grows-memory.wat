;; Asks for ever more memory, and traps when it gets none.
(func $grow_the_memory
  (loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $grow_the_memory)
  (unreachable))
