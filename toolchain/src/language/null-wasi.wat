;; A stand-in for WASI's first preview that imports nothing itself: it is joined to modules of languages whose library
;; insists on WASI. It knows no files, no arguments, no environment and no network; what is written is gone.
;; The numbers of errors are preview 1's: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno

(module
  (import "env" "memory" (memory 0))

  ;; The clock says 2001-09-09T01:46:40Z and a microsecond more each time: time passes, the same for everyone.
  (global $now_ns (mut i64) (i64.const 1000000000000000000))
  (func (export "clock_res_get") (param i32) (param $to i32) (result i32)
    (i64.store (local.get $to) (i64.const 1000))
    (i32.const 0))
  (func (export "clock_time_get") (param i32 i64) (param $to i32) (result i32)
    (global.set $now_ns (i64.add (global.get $now_ns) (i64.const 1000)))
    (i64.store (local.get $to) (global.get $now_ns))
    (i32.const 0))

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

  ;; All that is written counts as written.
  (func (export "fd_write") (param $file i32) (param $parts i32) (param $count i32) (param $to i32) (result i32)
    (local $part i32)
    (local $bytes i32)
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $part) (local.get $count)))
        (local.set $bytes
          (i32.add
            (local.get $bytes)
            (i32.load offset=4 (i32.add (local.get $parts) (i32.shl (local.get $part) (i32.const 3))))))
        (local.set $part (i32.add (local.get $part) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $to) (local.get $bytes))
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
  (func (export "poll_oneoff") (param i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 52))

  ;; wit-component asks for this where a module's `cabi_realloc` reads the clock.
  (func (export "adapter_monotonic_clock_set_paused") (param i32))

  ;; A plugin that ends itself has not answered.
  (func (export "proc_exit") (param i32) (unreachable)))
