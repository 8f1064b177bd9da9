;; A stand-in for WASI's first preview: it is joined to modules of languages whose library insists on WASI. It knows no
;; files, no arguments, no environment and no network. What is written to standard output and error goes on to WASI 0.2,
;; as does the end of the program; a module that does neither has a component that imports nothing.
;; The numbers of errors are preview 1's: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno

(module
  ;; Their types are in `null-wasi.wit`.
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $get_stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $get_stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write_and_flush (param $stream i32) (param $bytes i32) (param $len i32) (param $to i32)))
  (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param $failed i32)))
  (import "env" "memory" (memory 0))

  ;; Whether the host is just getting memory from the module: then nothing may be called.
  (global $is_in_realloc (mut i32) (i32.const 0))
  (func (export "adapter_monotonic_clock_set_paused") (param $is_paused i32)
    (global.set $is_in_realloc (local.get $is_paused)))

  ;; The clock says 2001-09-09T01:46:40Z and a microsecond more each time: time passes, the same for everyone.
  (global $now_ns (mut i64) (i64.const 1000000000000000000))
  (func (export "clock_res_get") (param i32) (param $to i32) (result i32)
    (i64.store (local.get $to) (i64.const 1000))
    (i32.const 0))
  (func (export "clock_time_get") (param i32 i64) (param $to i32) (result i32)
    (global.set $now_ns (i64.add (global.get $now_ns) (i64.const 1000)))
    (i64.store (local.get $to) (global.get $now_ns))
    (i32.const 0))

  ;; Nothing waits: a sleep ends at once and moves the clock on. Of several the shortest does, and with it those as short;
  ;; what is to wait for a file, without a time, is not there: `nosys`. A subscription has 48 bytes, an event 32.
  (func (export "poll_oneoff") (param $from i32) (param $to i32) (param $count i32) (param $ready_at i32) (result i32)
    (local $end i32)
    (local $at i32)
    (local $first i64)
    (local $ready i32)
    (local.set $end (i32.add (local.get $from) (i32.mul (local.get $count) (i32.const 48))))
    (local.set $first (i64.const -1))
    (local.set $at (local.get $from))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (if (i64.lt_u (call $wakes_at (local.get $at)) (local.get $first))
          (then (local.set $first (call $wakes_at (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 48)))
        (br $next)))
    (if (i64.eq (local.get $first) (i64.const -1)) (then (return (i32.const 52))))
    (local.set $at (local.get $from))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (if (i64.le_u (call $wakes_at (local.get $at)) (local.get $first))
          (then
            (memory.fill (local.get $to) (i32.const 0) (i32.const 32))
            (i64.store (local.get $to) (i64.load (local.get $at)))
            (local.set $to (i32.add (local.get $to) (i32.const 32)))
            (local.set $ready (i32.add (local.get $ready) (i32.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 48)))
        (br $next)))
    (if (i64.gt_u (local.get $first) (global.get $now_ns)) (then (global.set $now_ns (local.get $first))))
    (i32.store (local.get $ready_at) (local.get $ready))
    (i32.const 0))

  ;; When a subscription to the clock ends, by that clock; never, when it is one to a file.
  (func $wakes_at (param $subscription i32) (result i64)
    (if (i32.load8_u offset=8 (local.get $subscription)) (then (return (i64.const -1))))
    (i64.add
      (i64.load offset=24 (local.get $subscription))
      (select
        (i64.const 0)
        (global.get $now_ns)
        (i32.and (i32.load16_u offset=40 (local.get $subscription)) (i32.const 1)))))

  ;; Randomness is xorshift64 from one seed: the same bytes in every instance.
  (global $random (mut i64) (i64.const 0x2545f4914f6cdd1d))
  (func (export "random_get") (param $to i32) (param $bytes i32) (result i32)
    (local $done i32)
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $done) (local.get $bytes)))
        (global.set $random (i64.xor (global.get $random) (i64.shl (global.get $random) (i64.const 13))))
        (global.set $random (i64.xor (global.get $random) (i64.shr_u (global.get $random) (i64.const 7))))
        (global.set $random (i64.xor (global.get $random) (i64.shl (global.get $random) (i64.const 17))))
        (i64.store8 (i32.add (local.get $to) (local.get $done)) (global.get $random))
        (local.set $done (i32.add (local.get $done) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; The streams, once they were asked for; no handle is 0.
  (global $stdout (mut i32) (i32.const 0))
  (global $stderr (mut i32) (i32.const 0))
  (func $stream (param $file i32) (result i32)
    (if (i32.eq (local.get $file) (i32.const 1))
      (then
        (if (i32.eqz (global.get $stdout)) (then (global.set $stdout (call $get_stdout))))
        (return (global.get $stdout))))
    (if (i32.eqz (global.get $stderr)) (then (global.set $stderr (call $get_stderr))))
    (global.get $stderr))

  ;; Writes at most 4,096 bytes, which is as much as a stream takes at once; says whether it did not. The stream says so
  ;; in 12 bytes. They are borrowed from the module, at the start of its memory: nobody else runs meanwhile, and what is
  ;; written has been read by then, should it lie there.
  (func $write_part (param $stream i32) (param $bytes i32) (param $len i32) (result i32)
    (local $first i64)
    (local $second i32)
    (local $has_failed i32)
    (local.set $first (i64.load (i32.const 0)))
    (local.set $second (i32.load (i32.const 8)))
    (call $write_and_flush (local.get $stream) (local.get $bytes) (local.get $len) (i32.const 0))
    (local.set $has_failed (i32.load8_u (i32.const 0)))
    (i64.store (i32.const 0) (local.get $first))
    (i32.store (i32.const 8) (local.get $second))
    (local.get $has_failed))

  ;; Writes bytes; says whether it could not. What is written while memory is got is gone.
  (func $write (param $file i32) (param $bytes i32) (param $len i32) (result i32)
    (local $part i32)
    (if (global.get $is_in_realloc) (then (return (i32.const 0))))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $len)))
        (local.set $part
          (select (local.get $len) (i32.const 4096) (i32.lt_u (local.get $len) (i32.const 4096))))
        (if (call $write_part (call $stream (local.get $file)) (local.get $bytes) (local.get $part))
          (then (return (i32.const 1))))
        (local.set $bytes (i32.add (local.get $bytes) (local.get $part)))
        (local.set $len (i32.sub (local.get $len) (local.get $part)))
        (br $next)))
    (i32.const 0))

  ;; Only standard output and error are open: any other file is a bad one, `badf`; a stream that fails is an `io`.
  (func (export "fd_write") (param $file i32) (param $parts i32) (param $count i32) (param $to i32) (result i32)
    (local $len i32)
    (local $written i32)
    (if (i32.gt_u (i32.sub (local.get $file) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $count)))
        (local.set $len (i32.load offset=4 (local.get $parts)))
        (if (call $write (local.get $file) (i32.load (local.get $parts)) (local.get $len))
          (then (return (i32.const 29))))
        (local.set $written (i32.add (local.get $written) (local.get $len)))
        (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $to) (local.get $written))
    (i32.const 0))

  ;; No arguments and no environment.
  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; Where there are no files, every number of a file is a bad one: `badf`.
  (func (export "fd_close") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 8))

  ;; What is not there at all: `nosys`.
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 52))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 52))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 52))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 52))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 52))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 52))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 52))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 52))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 52))

  ;; A plugin that ends itself has not answered.
  (func (export "proc_exit") (param $code i32)
    (if (i32.eqz (global.get $is_in_realloc))
      (then (call $exit (i32.ne (local.get $code) (i32.const 0)))))
    (unreachable)))
