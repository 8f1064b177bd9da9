;; Asks for a table an element larger, again and again, whatever the answer is.
(table $table 1 funcref)
(func $ask_again
  (loop $again
    (drop (table.grow $table (ref.null func) (i32.const 1)))
    (br $again)))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $ask_again)
  (unreachable))
