"""The handshake of a link, and its frames, as state machines (docs/concepts/wire.md, 1 Link)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from firefly.errors import BadFrame, BadHandshake
from firefly.hello import WIRE_VERSION, Hello, choose_cipher, decode_hello, encode_hello
from firefly.keys import NodeKey
from firefly.noise import HandshakeXX
from firefly.sealing import Opener, Sealer, offered

PROLOGUE = b"glow/1 link"
WRONG_VERSION = b"glow 1-1"
"""Answered once, without a frame around it, to whoever begins with another version: the versions spoken here."""
BUSY = b"glow busy"
"""Said in the same way to whoever begins more handshakes than its address may."""
UPGRADE = "upgrade the older of the two"
HANDSHAKE_FRAME = 1024
"""Bytes of a frame before the peer has proven its key, at most."""
_VERSION_BYTE = bytes((WIRE_VERSION,))
LENGTH = struct.Struct(">I")
_pack_length = LENGTH.pack


def frame(content: bytes) -> bytes:
    """`u32 length, content`."""
    return _pack_length(len(content)) + content


class FrameReader:
    """Splits a byte stream into frames of at most `limit` bytes. `limit` may be changed between two calls of `feed`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = LENGTH.size

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order; `feed(b"")` looks again after `limit` was raised.

        A length over the limit raises BadFrame, the peer's fault, but not before the frames in front of it are
        handed out: they may end a handshake, and with it the limit. Raises BadHandshake if the peer says in plain
        bytes that it speaks another version.
        """
        if data:
            self._parts.append(data)
            self._size += len(data)
        if self._size < self._wanted:
            return []
        buffer = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        frames, rest = self._split(buffer)
        self._parts, self._size = [rest] if rest else [], len(rest)
        return frames

    def _split(self, buffer: bytes) -> tuple[list[bytes], bytes]:
        frames: list[bytes] = []
        offset, size = 0, len(buffer)
        self._wanted = LENGTH.size
        while size - offset >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, offset)
            if length > self.limit:
                if frames:
                    break
                raise _too_long(buffer, length, self.limit)
            start, end = offset + LENGTH.size, offset + LENGTH.size + length
            if end > size:
                self._wanted = end - offset
                break
            frames.append(buffer[start:end])
            offset = end
        return frames, buffer[offset:]

    def check(self) -> None:
        """Raises BadFrame at once, not with the next bytes, if a length over the limit came behind good frames."""
        if self._size >= self._wanted:
            self.feed(b"")

    def rest(self) -> bytes:
        """What was fed and has not been handed out."""
        return b"".join(self._parts)


def _too_long(buffer: bytes, length: int, limit: int) -> BadFrame | BadHandshake:
    if buffer.startswith(WRONG_VERSION[: LENGTH.size]):  # as a length it would be 1.7 GB
        return _said_plainly(buffer)
    return BadFrame(f"a frame says that it has {length} bytes; at most {limit} are allowed here")


def _said_plainly(text: bytes) -> BadHandshake:
    """What the peer means that answers without a handshake."""
    if text.startswith(BUSY):
        hint = "it is tried again by itself; `limits.handshakes` there says how many may begin"
        return BadHandshake("the other node takes no more handshakes from this address in this second", hint=hint)
    return BadHandshake("the peer speaks another version of the wire", hint=UPGRADE)


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
        self._ended = False
        self._noise = HandshakeXX(key, PROLOGUE, initiator, random)
        self._hello = encode_hello(key.public, instance)

    def start(self) -> bytes:
        """The initiator's first frame."""
        return _VERSION_BYTE + self._noise.write()

    def receive(self, content: bytes) -> bytes | None:
        """Takes a frame; returns the one to answer with, None if there is none. The first BadHandshake is the end."""
        if self._ended:
            raise BadHandshake("the handshake has ended")
        self._ended = True
        answer = self._answer(content)
        self._ended = self.done
        return answer

    def _answer(self, content: bytes) -> bytes | None:
        if len(content) > HANDSHAKE_FRAME:
            raise BadHandshake("a handshake frame is too long")
        if self._first:
            content = self._check_version(content)
        payload = self._noise.read(content)
        if self._noise.done:
            self._finish(decode_hello(payload, self._noise.remote_static, self._expected))
            return None
        if not self._initiator:
            return _VERSION_BYTE + self._noise.write(self._hello)
        hello = decode_hello(payload, self._noise.remote_static, self._expected)
        answer = self._noise.write(self._hello)
        self._finish(hello)
        return answer

    def _check_version(self, content: bytes) -> bytes:
        self._first = False
        if content[:1] != _VERSION_BYTE:
            error = _said_plainly(content)
            error.answer = b"" if self._initiator else WRONG_VERSION
            raise error
        return content[1:]

    def _finish(self, hello: Hello) -> None:
        self.cipher = choose_cipher(offered(), hello.ciphers)
        send, receive = self._noise.split()
        self.sealer, self.opener = Sealer(self.cipher, send), Opener(self.cipher, receive)
        self.peer_key, self.peer_instance = hello.key, hello.instance
        self.hash = self._noise.hash
        self.done = True
