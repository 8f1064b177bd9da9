;; Asks for ever larger tables, and traps when it gets none.
(table $table 1 funcref)
(func $grow_the_table
  (loop $again
    (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1)))))
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (call $grow_the_table)
  (unreachable))
