"""TLS below a link: who is trusted, whose key is pinned, and what comes through."""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.links import LinkError, tls, transport
from node.links.connection import Connection
from node.links.ports import OWN_CERTIFICATE
from tests.node.links.neighbours import WAIT, Neighbour, listening

Signed = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certificate(name: str, signer: Signed | None = None) -> Signed:
    """A certificate for a host, signed by itself or by another."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, by = (signer[0].subject, signer[1]) if signer else (subject, key)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(x509.BasicConstraints(signer is None, None), critical=True)
    alternatives = x509.SubjectAlternativeName([x509.DNSName("*.example"), x509.DNSName(name)])
    return builder.add_extension(alternatives, critical=False).sign(by, hashes.SHA256()), key


def write(folder: Path, name: str, signed: Signed) -> tuple[Path, Path]:
    """Its PEM files: certificate and key."""
    files = folder / f"{name} certificate.pem", folder / f"{name} key.pem"
    files[0].write_bytes(signed[0].public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        signed[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def wss(files: tuple[Path, Path], port: int = 0) -> str:
    query = urlencode({"certificate": files[0], "key": files[1]})
    return f"wss://127.0.0.1:{port}?{query}"


async def test_a_certificate_that_others_have_signed_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = certificate("Test Authority")
    trusted, _ = write(tmp_path, "authority", authority)
    files = write(tmp_path, "leaf", certificate("localhost", authority))
    async with listening("tcp", tmp_path) as (owner, dialler):
        url = (await owner.manager.listen(wss(files))).announced
        assert url.startswith("wss://localhost:")  # what it was signed for, and so what others can check
        assert "#" not in url
        with pytest.raises(LinkError, match="not trusted") as caught:
            await dialler.manager.dial(url, owner.key.public)
        assert "issuer" in caught.value.cause
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        await dialler.manager.dial(url, owner.key.public)
        await dialler.until(lambda: dialler.ups)
        with pytest.raises(LinkError, match="not trusted") as caught:
            await dialler.manager.dial(url.replace("localhost", "127.0.0.1"), owner.key.public)
        assert "127.0.0.1" in caught.value.cause


async def test_a_pinned_key_is_checked_and_nothing_else(tmp_path: Path) -> None:
    async with listening("wss", tmp_path) as (owner, dialler):
        url, _, pin = owner.url.partition("#")
        with pytest.raises(LinkError, match="another key") as caught:
            await dialler.manager.dial(f"{url}#sha256={'0' * 64}", owner.key.public)
        assert pin in caught.value.cause
        with pytest.raises(LinkError, match="not trusted") as caught:
            await dialler.manager.dial(url, owner.key.public)
        assert "#sha256=" in caught.value.hint
        shouted = f"{url}#{pin.replace('sha256=', '').upper().join(('sha256=', ''))}"
        await dialler.manager.dial(shouted, owner.key.public)
        await dialler.until(lambda: dialler.ups)


async def test_a_nodes_own_certificate_stays_the_same_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    async with listening("wss", tmp_path) as (owner, _):
        pin = owner.url.partition("#")[2]
    assert (tmp_path / OWN_CERTIFICATE).stat().st_mode & 0o777 == 0o600
    async with listening("wss", tmp_path) as (owner, _):
        assert owner.url.partition("#")[2] == pin


async def test_a_port_is_shared_by_what_listens_there(tmp_path: Path) -> None:
    files = write(tmp_path, "own", certificate("nas"))
    async with listening("tcp", tmp_path) as (owner, dialler):
        port = int(owner.url.rpartition(":")[2])
        over_ws = await owner.manager.listen(f"ws://127.0.0.1:{port}")
        over_wss = await owner.manager.listen(wss(files, port))
        assert over_ws.kept == over_ws.announced == f"ws://127.0.0.1:{port}"
        assert over_wss.kept == wss(files, port)
        assert over_wss.announced.startswith(f"wss://127.0.0.1:{port}#sha256=")
        for url in (owner.url, over_ws.announced, over_wss.announced):
            link = await dialler.manager.dial(url, owner.key.public)
            await owner.until(lambda: owner.ups)
            assert owner.ups.pop().url == f"{url.partition(':')[0]}://127.0.0.1"
            link.close("next")
            await owner.until(lambda: owner.downs)
            owner.downs.clear()


async def test_raw_frames_are_taken_where_only_websocket_was_announced(tmp_path: Path) -> None:
    async with listening("wss", tmp_path) as (owner, dialler):
        raw = owner.url.partition("#")[0].replace("wss:", "tcp:")
        await dialler.manager.dial(raw, owner.key.public)
        await owner.until(lambda: owner.ups)
        assert (owner.ups[0].kind, owner.ups[0].url) == ("tcp", "tcp://127.0.0.1")


async def test_tls_where_there_is_no_certificate_ends_with_a_reason(tmp_path: Path) -> None:
    async with listening("tcp", tmp_path) as (owner, _):
        with pytest.raises(LinkError, match="speaks no WebSocket") as caught:
            await transport("wss:").dial(owner.url.replace("tcp:", "wss:"))
        assert caught.value.cause
        assert owner.router.counters["bad_handshakes"] == 1


@pytest.mark.parametrize("what", ["another's key", "no certificate", "no file", "no text"])
async def test_a_certificate_that_does_not_serve_is_said(tmp_path: Path, what: str) -> None:
    good, other = (write(tmp_path, name, certificate(name)) for name in ("good", "other"))
    (tmp_path / "binary").write_bytes(os.urandom(500))
    files = {
        "another's key": (good[0], other[1]),
        "no certificate": (good[1], good[1]),
        "no file": (tmp_path / "nothing", good[1]),
        "no text": (tmp_path / "binary", good[1]),
    }[what]
    async with trio.open_nursery() as nursery:
        with pytest.raises(LinkError, match="certificate in") as caught:
            await Neighbour(nursery, tmp_path).manager.listen(wss(files))
        assert caught.value.cause
        assert "--certificate" in caught.value.hint
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("noise", [bytes(4000), b"\x16\x03\x01\x00\x05hello", b"\x15\x03\x03\x00\x02\x02\x28"])
async def test_noise_instead_of_tls_ends_its_own_connection(tmp_path: Path, noise: bytes) -> None:
    async with listening("wss", tmp_path) as (owner, dialler):
        host, _, port = owner.url.partition("#")[0].removeprefix("wss://").partition(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"\x16" + noise)
            with trio.fail_after(WAIT):
                try:
                    while await stream.receive_some():
                        pass
                except trio.BrokenResourceError:
                    assert noise  # it may be reset: not everything was read
        assert owner.router.counters["bad_handshakes"] == 1
        await dialler.manager.dial(owner.url, owner.key.public)
        await owner.until(lambda: owner.ups)


def test_what_is_no_certificate_has_no_pin() -> None:
    assert tls.pin_of(b"") == tls.pin_of(os.urandom(300)) == ""


async def test_a_tls_socket_gives_all_that_it_has_and_waits_like_a_plain_one(tmp_path: Path) -> None:
    """What TLS holds back would wake nobody: `recv` gives more than it is asked for rather than keep some."""
    context, pin, _ = tls.certified(tls.own_certificate(tmp_path / "tls.pem"), None, "wss://here")
    here, there = await pair()
    accepted: list[tls.TlsSocket] = []

    async def accept() -> None:
        accepted.append(await tls.accepted(there.sock, context))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        client = await tls.dialled(here.sock, "here", pin, "wss://here")
    [server] = accepted
    with pytest.raises(BlockingIOError):
        server.recv(100)
    assert client.send(memoryview(bytes(50_000))) == 50_000
    await trio.lowlevel.wait_readable(server)
    got = server.recv(1000)
    assert len(got) >= 16_384  # a whole record
    while len(got) < 50_000:
        await trio.lowlevel.wait_readable(server)
        got += server.recv(1000)
    with pytest.raises(BlockingIOError):
        fill(client)
    client.close()
    server.close()


def fill(sock: tls.TlsSocket) -> None:
    """Sends until it takes no more."""
    while sock.send(memoryview(bytes(1_000_000))):
        pass


async def pair() -> tuple[Connection, Connection]:
    """Both ends of a TCP connection."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        here = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return Connection(here, "tcp"), Connection(await listener.accept(), "tcp")


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    context, _, _ = tls.certified(tls.own_certificate(tmp_path / "tls.pem"), None, "wss://here")
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
