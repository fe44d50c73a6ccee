;; Writes its standard input in capital letters to its standard output: a program for WASI preview 1.
;; glow run --on nas examples/shout.wat < letter.txt
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)

  ;; At 0 the vector (place, size) that both calls take, at 8 how much there was, from 64 on the text itself.
  (func $read (result i32)
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 65536))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))

  (func $write (param $size i32)
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func $capitals (param $size i32)
    (local $place i32) (local $letter i32)
    (local.set $place (i32.const 64))
    (loop $next
      (local.set $letter (i32.load8_u (local.get $place)))
      (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 26))
        (then (i32.store8 (local.get $place) (i32.sub (local.get $letter) (i32.const 32)))))
      (local.set $place (i32.add (local.get $place) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $place) (i32.add (local.get $size) (i32.const 64))))))

  (func (export "_start")
    (local $size i32)
    (loop $more
      (local.set $size (call $read))
      (if (local.get $size)
        (then
          (call $capitals (local.get $size))
          (call $write (local.get $size))
          (br $more))))))
