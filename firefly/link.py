"""The handshake of a link, and its frames, as state machines (docs/concepts/wire.md, 1 Link)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from firefly.errors import BadFrame, BadHandshake
from firefly.hello import Hello, choose_cipher, decode_hello, encode_hello
from firefly.keys import NodeKey
from firefly.noise import HandshakeXX
from firefly.sealing import Opener, Sealer, offered

PROLOGUE = b"glow/1 link"
VERSION = 1
WRONG_VERSION = b"glow 1-1"
HANDSHAKE_FRAME = 1024
LENGTH = struct.Struct(">I")
_pack_length = LENGTH.pack


def frame(content: bytes) -> bytes:
    """`u32 length, content`."""
    return _pack_length(len(content)) + content


class FrameReader:
    """Splits a byte stream into frames of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = LENGTH.size

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises BadFrame for a length over the limit."""
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return []
        buffer = data if len(self._parts) == 1 else b"".join(self._parts)
        frames, offset, size = [], 0, len(buffer)
        wanted = LENGTH.size
        while size - offset >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, offset)
            if length > self.limit:
                raise BadFrame(f"a frame says that it has {length} bytes; at most {self.limit} are allowed here")
            wanted = LENGTH.size + length
            if size - offset < wanted:
                break
            frames.append(buffer[offset + LENGTH.size : offset + wanted])
            offset += wanted
            wanted = LENGTH.size
        self._parts = [buffer[offset:]] if offset < size else []
        self._size = size - offset
        self._wanted = wanted
        return frames

    def rest(self) -> bytes:
        """What was fed and belongs to no whole frame yet."""
        return b"".join(self._parts)


class LinkHandshake:
    """One side of a link's handshake: frames in, frames out, until `done`.

    `expected` is the identity key that must answer, if it is known. Afterwards: `peer_key`, `peer_instance`, `hash`
    (which binds a pairing to this link), `sealer`, `opener`, `cipher`. Raises BadHandshake; if its attribute
    `answer` is not empty, those bytes go to the peer before the connection is closed.
    """

    sealer: Sealer
    opener: Opener
    hash: bytes
    cipher: int

    def __init__(
        self,
        key: NodeKey,
        instance: bytes,
        initiator: bool,
        expected: bytes | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.done = False
        self.peer_key = b""
        self.peer_instance = b""
        self._initiator = initiator
        self._expected = expected
        self._first = True
        self._noise = HandshakeXX(key, PROLOGUE, initiator, random)
        self._hello = encode_hello(key.public, instance)

    def start(self) -> bytes:
        """The initiator's first frame."""
        return bytes((VERSION,)) + self._noise.write()

    def receive(self, content: bytes) -> bytes | None:
        """Takes a frame; returns the one to answer with, None if there is none."""
        if len(content) > HANDSHAKE_FRAME:
            raise BadHandshake("a handshake frame is too long")
        if self._first:
            content = self._check_version(content)
        payload = self._noise.read(content)
        if self._initiator:
            answer = self._noise.write(self._hello)
            self._finish(decode_hello(payload, self._noise.remote_static, self._expected))
            return answer
        if not self._noise.done:
            return bytes((VERSION,)) + self._noise.write(self._hello)
        self._finish(decode_hello(payload, self._noise.remote_static, self._expected))
        return None

    def _check_version(self, content: bytes) -> bytes:
        self._first = False
        if content[:1] != bytes((VERSION,)):
            error = BadHandshake("the peer speaks another version of the wire", hint="upgrade the older of the two")
            error.answer = b"" if self._initiator else WRONG_VERSION
            raise error
        return content[1:]

    def _finish(self, hello: Hello) -> None:
        self.done = True
        self.peer_key, self.peer_instance = hello.key, hello.instance
        self.hash = self._noise.hash
        self.cipher = choose_cipher(offered(), hello.ciphers)
        send, receive = self._noise.split()
        self.sealer, self.opener = Sealer(self.cipher, send), Opener(self.cipher, receive)
