;; Asks for memory a page at a time, again and again, whatever the answer is.
(func $ask_again
  (loop $again
    (drop (memory.grow (i32.const 1)))
    (br $again)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $ask_again)
  (unreachable))
