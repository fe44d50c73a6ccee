"""Small WebAssembly programs in the text format, and what a worker is ordered to do with them."""

from __future__ import annotations

import hashlib
from typing import Any

from firefly.interfaces.executor import Mount, Order

WASI = {
    "fd_read": "i32 i32 i32 i32",
    "fd_write": "i32 i32 i32 i32",
    "args_get": "i32 i32",
    "args_sizes_get": "i32 i32",
    "environ_get": "i32 i32",
    "environ_sizes_get": "i32 i32",
    "poll_oneoff": "i32 i32 i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "proc_exit": "i32",
}
MEMORY = '(memory (export "memory") 2)'


def program(body: str, *imports: str, more: str = MEMORY) -> bytes:
    """A module whose `_start` is `body`."""
    lines = [_import(name) for name in imports]
    return f'(module {"".join(lines)} {more} (func (export "_start") {body}))'.encode()


def _import(name: str) -> str:
    result = "" if name == "proc_exit" else "(result i32)"
    return f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {WASI[name]}) {result}))'


def write(descriptor: int, place: int, size: str) -> str:
    """Writes `size` bytes from `place` on."""
    return f"""(i32.store (i32.const 0) (i32.const {place})) (i32.store (i32.const 4) {size})
        (drop (call $fd_write (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8)))"""


def says(text: str, code: int = 0, descriptor: int = 1) -> bytes:
    """Writes a text and ends with a code."""
    size = f"(i32.const {len(text)})"
    body = f"{write(descriptor, 64, size)} (call $proc_exit (i32.const {code}))"
    return program(body, "fd_write", "proc_exit", more=f'{MEMORY} (data (i32.const 64) "{text}")')


def opens(path: str, flags: int, rights: int) -> bytes:
    """Opens a path in its first folder and ends with WASI's error number."""
    arguments = f"""(i32.const 3) (i32.const 1) (i32.const 64) (i32.const {len(path)}) (i32.const {flags})
        (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 0)"""
    body = f"(call $proc_exit (call $path_open {arguments}))"
    return program(body, "path_open", "proc_exit", more=f'{MEMORY} (data (i32.const 64) "{path}")')


EMPTY = program("")
ECHO = program(
    f"""(block $end (loop $next
        (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 65536))
        (br_if $end (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
        (br_if $end (i32.eqz (i32.load (i32.const 24))))
        {write(1, 64, "(i32.load (i32.const 24))")}
        (br $next)))""",
    "fd_read",
    "fd_write",
)
ARGUMENTS = program(
    f"""(drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $args_get (i32.const 1024) (i32.const 2048)))
        {write(1, 2048, "(i32.load (i32.const 20))")}""",
    "args_sizes_get",
    "args_get",
    "fd_write",
)
ENVIRONMENT = program(
    f"""(drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $environ_get (i32.const 1024) (i32.const 2048)))
        {write(1, 2048, "(i32.load (i32.const 20))")}""",
    "environ_sizes_get",
    "environ_get",
    "fd_write",
)
LOOP = program("(loop $again (br $again))")
GROW = program("(loop $more (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (br $more))")
GREEDY = program("", more='(memory (export "memory") 65000)')
TWO_MEMORIES = program("", more="(memory 1) (memory 1)")
MANY_ELEMENTS = program("", more="(table 2000000 funcref)")
FLOOD = program(f"(loop $again {write(1, 64, '(i32.const 65536)')} (br $again))", "fd_write")
TRAP = b'(module (func $deep unreachable) (func $start (export "_start") (call $deep)))'
RECURSION = b'(module (func $again (export "_start") (call $again)))'
AN_HOUR = """(i64.store (i32.const 0) (i64.const 0)) (i64.store (i32.const 8) (i64.const 0))
    (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll_oneoff (i32.const 0) (i32.const 512) (i32.const 1) (i32.const 1024)))"""
SLEEP = program(AN_HOUR, "poll_oneoff")
SAYS_AND_SLEEPS = program(write(1, 64, "(i32.const 4)") + AN_HOUR, "poll_oneoff", "fd_write")
UNKNOWN = b'(module (import "env" "teleport" (func)) (func (export "_start")))'
UNKNOWN_WASI = b'(module (import "wasi_snapshot_preview1" "beam_up" (func)) (func (export "_start")))'
OTHER_TYPE = b'(module (import "wasi_snapshot_preview1" "fd_read" (func)) (func (export "_start")))'
COMPONENT = b"\0asm\x0d\0\1\0"
REACTOR = f"""(module {_import("fd_read")} {_import("fd_write")} {MEMORY} (global $ready (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $ready (i32.const 40)))
    (func (export "add") (param i32 i64 f32 f64) (result f64)
        (f64.add (f64.add (f64.convert_i32_s (local.get 0)) (f64.convert_i64_s (local.get 1)))
                 (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))))
    (func (export "ready") (param i32) (result i32 i64)
        (i32.add (global.get $ready) (local.get 0)) (i64.const -1))
    (func (export "copy")
        (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 100))
        (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
        {write(1, 64, "(i32.load (i32.const 24))")})
    (func (export "opaque") (param externref)))""".encode()
CREATE, NO_FLAGS, READ, WRITE = 1, 0, 1 << 1, 1 << 6
NOT_PERMITTED, DOES_NOT_EXIST = 63, 44
"""Error numbers of WASI."""


def digest(module: bytes) -> bytes:
    return hashlib.sha256(module).digest()


def order(module: bytes, *arguments: str, mounts: tuple[Mount, ...] = (), **given: Any) -> Order:
    limits = {"wall": 30.0, "fuel": 10**12, "memory": 2**24, "output": 2**24, "environment": {}, **given}
    return Order(module=digest(module), arguments=["program", *arguments], mounts=list(mounts), **limits)
