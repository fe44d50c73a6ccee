"""From a module's bytes to code that runs: compiled once, kept in a private folder, linked with WASI preview 1.

A compiled file is named by the hash of its module and by what made it: the version of wasmtime, the configuration below
and the architecture. It begins with its own SHA-256, because wasmtime accepts damaged ones. It is written here alone:
what is uploaded is never taken for compiled code.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path

import wasmtime

from firefly.interfaces.executor import NoSuchModule, NotWasm, UnknownImport

MAGIC, COMPONENT = b"\0asm\1\0\0\0", b"\0asm\x0d\0\1\0"
MAX_STACK = 512 * 1024
CONFIGURATION = f"fuel epoch stack={MAX_STACK}"
MAX_LOADED = 32
"""Modules that a worker holds ready in memory."""
MAX_REASON = 500
CHECKSUM = 32


class Loaded:
    """A module that can be started at once."""

    def __init__(self, linker: wasmtime.Linker, module: wasmtime.Module) -> None:
        self.ready = linker.instantiate_pre(module)
        self._module = module

    def functions(self) -> dict[str, wasmtime.FuncType]:
        """The functions that it exports."""
        exports = ((export.name, export.type) for export in self._module.exports)
        return {name: kind for name, kind in exports if isinstance(kind, wasmtime.FuncType)}


class Engine:
    """wasmtime as all jobs of one worker use it, and the modules that they have used."""

    def __init__(self, modules: Path, compiled: Path) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        config.epoch_interruption = True
        config.max_wasm_stack = MAX_STACK
        self.engine = wasmtime.Engine(config)
        self._linker = wasmtime.Linker(self.engine)
        self._linker.define_wasi()
        self._modules = modules
        self._compiled = compiled
        self._loaded: OrderedDict[bytes, Loaded] = OrderedDict()
        self._made_by = made_by()
        check_private(compiled)

    def loaded(self, digest: bytes) -> Loaded | None:
        """A module that is in memory."""
        found = self._loaded.get(digest)
        if found is not None:
            self._loaded.move_to_end(digest)
        return found

    def load(self, digest: bytes) -> Loaded:
        """From memory, the cache, or compiled now. Blocks. Raises NoSuchModule, NotWasm, UnknownImport, OSError."""
        found = self.loaded(digest)
        if found is None:
            module = self._from_cache(digest) or self._compile(digest)
            found = self._loaded[digest] = Loaded(self._linker, module)
            if len(self._loaded) > MAX_LOADED:
                self._loaded.popitem(last=False)
        return found

    def _file(self, digest: bytes) -> Path:
        return self._compiled / f"{digest.hex()}-{self._made_by}"

    def _from_cache(self, digest: bytes) -> wasmtime.Module | None:
        try:
            data = self._file(digest).read_bytes()
        except FileNotFoundError:
            return None
        code = data[CHECKSUM:]
        if hashlib.sha256(code).digest() != data[:CHECKSUM]:
            return None  # damaged: it is made anew
        return wasmtime.Module.deserialize(self.engine, code)

    def _compile(self, digest: bytes) -> wasmtime.Module:
        try:
            data = (self._modules / digest.hex()).read_bytes()
        except FileNotFoundError:
            raise NoSuchModule(digest) from None
        if hashlib.sha256(data).digest() != digest:
            raise NoSuchModule(digest)  # damaged: it is to be uploaded again
        try:
            module = wasmtime.Module(self.engine, binary(data))
            self._check_imports(module)
            self._linker.instantiate_pre(module)
        except wasmtime.WasmtimeError as error:
            raise NotWasm(_reason(error)) from None
        code = bytes(module.serialize())
        write_whole(self._file(digest), hashlib.sha256(code).digest() + code)
        return module

    def _check_imports(self, module: wasmtime.Module) -> None:
        """Raises UnknownImport for the first thing that the module needs and WASI preview 1 has not."""
        store = wasmtime.Store(self.engine)
        try:
            for needed in module.imports:
                name = needed.name or ""
                try:
                    self._linker.get(store, needed.module, name)
                except wasmtime.WasmtimeError:
                    raise UnknownImport(needed.module[:MAX_REASON], name[:MAX_REASON]) from None
        finally:
            store.close()


def binary(data: bytes) -> bytes:
    """A core module in binary form, made from text if it is text. Raises NotWasm, WasmtimeError."""
    if data.startswith(MAGIC):
        return data
    if data.startswith(COMPONENT):
        raise NotWasm("it is a component; what runs here are core modules for WASI preview 1")
    if not looks_like_text(data):
        raise NotWasm(f"it begins with {data[:4].hex(' ') or 'nothing'}, a module with 00 61 73 6d 01 00 00 00")
    return bytes(wasmtime.wat2wasm(data.decode()))


def looks_like_text(data: bytes) -> bool:
    """Whether it may be the text format: UTF-8 that begins with a parenthesis or a comment."""
    try:
        return data.decode().lstrip().startswith(("(", ";;"))
    except UnicodeDecodeError:
        return False


def made_by() -> str:
    """What a compiled file depends on beside its module, as part of a file's name."""
    configuration = hashlib.sha256(CONFIGURATION.encode()).hexdigest()[:8]
    return f"{version('wasmtime')}-{configuration}-{platform.machine()}-{platform.system()}"


def check_private(folder: Path) -> None:
    """Raises PermissionError unless the folder is this user's alone: what lies in it is run as machine code."""
    state = folder.stat()
    if state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077:
        raise PermissionError(f"{folder} must belong to this user with mode 0700")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file under a name of its own, syncs and renames it: it is there whole or not at all."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _reason(error: wasmtime.WasmtimeError) -> str:
    """What wasmtime says, in one line."""
    return " ".join(str(error).split())[:MAX_REASON]
