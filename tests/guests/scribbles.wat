;; Looks whether everything it starts with is as it should be, then scribbles over all of it, the grown part
;; included. How much it grows is the event's attempt, in pages. Answers "skip" when all was clean, otherwise
;; with the number of the check that was not, as milliseconds.
(global $touched (mut i64) (i64.const 0))
(table $table 4 funcref)
(elem (table $table) (i32.const 0) func $dirty)
(data (i32.const 1024) "\01")                     ;; refused
(data (i32.const 1032) "\00")                     ;; skip
(data (i32.const 2048) "an image of initial memory")

;; The first byte that is not zero between two addresses, both multiples of 8; or the second address.
(func $first_dirty (param $at i32) (param $end i32) (result i32)
  (loop $again
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (local.get $end))))
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (return (local.get $at))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br $again))
  (unreachable))

(func $dirty (param $check i64) (result i32)
  (i32.store8 (i32.const 1024) (i32.const 1))
  (i32.store8 (i32.const 1032) (i32.const 1))
  (i64.store (i32.const 1040) (local.get $check))
  (i32.const 1024))

(func (export "tidegate:plugin/handler@1.0.0#handle") (param $event i32) (result i32)
  (local $old_end i32)
  (local $end i32)
  (local.set $old_end (i32.shl (memory.size) (i32.const 16)))
  ;; The initial image: its first byte, its last, and what follows it.
  (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 0x61)) (then (return (call $dirty (i64.const 1)))))
  (if (i32.ne (i32.load8_u (i32.const 2073)) (i32.const 0x79)) (then (return (call $dirty (i64.const 2)))))
  (if (i32.ne (call $first_dirty (i32.const 2080) (i32.const 4096)) (i32.const 4096))
    (then (return (call $dirty (i64.const 3)))))
  (if (i32.ne (call $first_dirty (i32.const 65536) (local.get $old_end)) (local.get $old_end))
    (then (return (call $dirty (i64.const 4)))))
  (if (i64.ne (global.get $touched) (i64.const 0)) (then (return (call $dirty (i64.const 5)))))
  (if (ref.is_null (table.get $table (i32.const 0))) (then (return (call $dirty (i64.const 6)))))
  (if (i32.eqz (ref.is_null (table.get $table (i32.const 3)))) (then (return (call $dirty (i64.const 7)))))
  ;; The grown part, of memory and of the table.
  (if (i32.eq (memory.grow (i32.load offset=68 (local.get $event))) (i32.const -1))
    (then (return (call $dirty (i64.const 8)))))
  (local.set $end (i32.shl (memory.size) (i32.const 16)))
  (if (i32.ne (call $first_dirty (local.get $old_end) (local.get $end)) (local.get $end))
    (then (return (call $dirty (i64.const 9)))))
  (if (i32.ne (table.grow $table (ref.null func) (i32.const 500)) (i32.const 4))
    (then (return (call $dirty (i64.const 10)))))
  (if (i32.eqz (ref.is_null (table.get $table (i32.const 503))))
    (then (return (call $dirty (i64.const 11)))))
  ;; All was clean. Leave nothing so.
  (memory.fill (i32.const 2048) (i32.const 0xa5) (i32.sub (local.get $end) (i32.const 2048)))
  (table.fill $table (i32.const 0) (ref.func $dirty) (i32.const 504))
  (table.set $table (i32.const 0) (ref.null func))
  (global.set $touched (i64.const -1))
  (i32.const 1024))
