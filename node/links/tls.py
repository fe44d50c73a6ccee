"""TLS below a link: who is there, certificates of our own, and a socket that the pump of a link can run on.

Who the node is, Noise says inside; TLS is there for what stands between (proxies, filters) and for browsers.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firefly.transport import Socket
from node.links import LinkError

PIN = re.compile("sha256=[0-9a-fA-F]{64}")
RECORD = 16 * 2**10
"""Bytes of a TLS record, at most."""
FOREVER = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)
"""No end (RFC 5280, 4.1.2.5): who pins a key asks for nothing else."""
_WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsSocket:
    """A TLS socket after its handshake that behaves as a plain one which does not block."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.setblocking = sock.setblocking
        self.fileno = sock.fileno
        self.close = sock.close

    def recv(self, size: int) -> bytes:
        """What is there, whole records: what TLS held back would wake nobody."""
        sock, parts, count = self._sock, [], 0
        try:
            while count < size or sock.pending():
                data = sock.recv(RECORD)
                if not data:
                    break
                parts.append(data)
                count += len(data)
        except _WAITS:
            if not parts:
                raise BlockingIOError from None
        return b"".join(parts)

    def send(self, data: memoryview) -> int:
        """Bytes taken. What was refused must come again first, and does: see FramedSocket."""
        sent = 0
        try:
            while sent < len(data):
                sent += self._sock.send(data[sent : sent + RECORD])
        except _WAITS:
            if not sent:
                raise BlockingIOError from None
        return sent

    def shutdown(self, how: int) -> None:
        """Says that this side has ended, and ends it."""
        with suppress(*_WAITS):
            self._sock.unwrap()
        self._sock.shutdown(how)


async def dialled(sock: Socket, host: str, pin: str, url: str) -> TlsSocket:
    """TLS with the server that was dialled. Raises LinkError if it is not the one that is meant, OSError."""
    if pin:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = await trio.to_thread.run_sync(ssl.create_default_context)  # reads what the system trusts
    try:
        secured = await _shake_hands(sock, context, host)
    except ssl.SSLCertVerificationError as error:
        raise LinkError(
            f"the certificate at {url} is not trusted",
            cause=error.verify_message,
            hint="if it is one of your nodes, take its address with #sha256= from its `glow status`",
        ) from None
    found = pin_of(secured.getpeercert(binary_form=True) or b"") if pin else ""
    if found != pin.lower():
        secured.close()
        raise LinkError(f"{url} has another key than the pinned one", cause=f"it has {found or 'none'}")
    return TlsSocket(secured)


async def accepted(sock: Socket, context: ssl.SSLContext) -> TlsSocket:
    """TLS with a client. Raises OSError."""
    return TlsSocket(await _shake_hands(sock, context, None))


async def _shake_hands(sock: Socket, context: ssl.SSLContext, host: str | None) -> ssl.SSLSocket:
    """Closes the socket, which is the returned one's from here on, if it fails."""
    assert isinstance(sock, socket.socket)
    secured = context.wrap_socket(sock, server_side=host is None, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(secured)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(secured)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


def certified(certificate: Path, key: Path | None, url: str) -> tuple[ssl.SSLContext, str, str]:
    """What serves TLS with a certificate (chain) and its key, in PEM files or together in one.

    Also how others may know it: the pin of its key if it has signed itself, else the host that it was signed for.
    Raises LinkError.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.options |= ssl.OP_NO_RENEGOTIATION
        [leaf, *_] = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise LinkError(
            f"cannot listen at {url.partition('?')[0]} with the certificate in {certificate}",
            cause=str(error),
            hint="PEM files that belong together: `--certificate FILE --key FILE`; without, the node makes its own",
        ) from None
    if leaf.issuer == leaf.subject:
        return context, _pin(leaf), ""
    return context, "", next((name for name in _names(leaf) if "*" not in name), "")


def _names(certificate: x509.Certificate) -> list[str]:
    """Hosts that a certificate is for."""
    with suppress(x509.ExtensionNotFound):
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return extension.value.get_values_for_type(x509.DNSName)
    return []


def pin_of(certificate: bytes) -> str:
    """`sha256=HEX` of the public key (its DER) of a certificate in DER; empty if it is none."""
    try:
        return _pin(x509.load_der_x509_certificate(certificate))
    except ValueError:
        return ""


def _pin(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256={hashlib.sha256(encoded).hexdigest()}"


def own_certificate(path: Path) -> Path:
    """The file with a key and a certificate that it has signed itself; made if it is not there."""
    if path.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "glow")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)).not_valid_after(FOREVER)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path
