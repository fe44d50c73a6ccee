"""HTTP proxies, as the environment of the node names them: a tunnel by CONNECT (RFC 9110, 9.3.6) for WebSocket links.

`HTTPS_PROXY` is for wss, `HTTP_PROXY` for ws, `NO_PROXY` lists what is dialled directly; in small letters they count
too, and more. What the proxy is given to log in is sent to it and shown nowhere.
"""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import trio

from node.links import LinkError, tcp
from node.links.ports import bracketed

ANSWER_TIME = 10.0
"""Seconds in which the proxy must answer: it dials meanwhile."""
MAX_ANSWER = 16 * 2**10
"""Bytes that a proxy may say before the tunnel begins."""
MAX_QUOTED = 120
"""Characters of its status line that an error quotes."""
UNAUTHORIZED = 407


class Proxy(NamedTuple):
    """`variable` names it in the environment; `credentials` are what is behind `Basic`, or empty."""

    variable: str
    host: str
    port: int
    credentials: str

    def __str__(self) -> str:
        """Without the credentials."""
        return f"http://{bracketed(self.host)}:{self.port}"


async def find(secure: bool, host: str, port: int) -> Proxy | None:
    """The proxy through which a host is to be dialled; None if it is not. Raises LinkError."""
    if _is_loopback(host):
        return None
    return await trio.to_thread.run_sync(_find, secure, host, port)  # some systems look up names for that


def _find(secure: bool, host: str, port: int) -> Proxy | None:
    scheme = "https" if secure else "http"
    proxies = getproxies()
    if scheme not in proxies or _is_excepted(host, port, proxies.get("no", "")):
        return None
    return parse(proxies[scheme], f"{scheme.upper()}_PROXY")


def parse(text: str, variable: str) -> Proxy:
    """What a variable says: `http://[USER:PASSWORD@]HOST:PORT`. Raises LinkError, which does not quote it."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may hold the password
        host, port, parts = None, None, urlsplit("")
    if parts.scheme != "http" or not host:
        cause = f"its scheme is {parts.scheme}" if parts.scheme not in ("", "http") else ""
        raise LinkError(f"{variable} names no HTTP proxy", cause=cause, hint=f"{variable}=http://HOST:PORT glow node")
    given = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
    return Proxy(variable, host, port or 80, base64.b64encode(given.encode()).decode())


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY, or the system, says to dial a host directly; networks (10.0.0.0/8) are ours, the rest Python's.

    A host may be listed with its port.
    """
    return any(proxy_bypass(form) for form in (host, f"{bracketed(host)}:{port}")) or any(
        _is_in(host, entry.strip()) for entry in exceptions.split(",") if "/" in entry
    )


def _is_in(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # one of them is a name
        return False


async def tunnel(proxy: Proxy, host: str, port: int, url: str) -> trio.SocketStream:
    """A connection to `host` through the proxy. Raises LinkError: what the proxy said, or that it says nothing."""
    hint = f"without the proxy: NO_PROXY={host} glow node"
    try:
        stream = await tcp.connect(proxy.host, proxy.port, str(proxy))
    except LinkError as error:
        raise LinkError(f"the proxy {proxy} cannot be reached", cause=error.cause, hint=hint) from None
    try:
        with trio.fail_after(ANSWER_TIME):
            await stream.send_all(_request(proxy, host, port))
            answer = await _head(stream)
        _check(answer, proxy, url, hint)
    except BaseException as error:
        stream.socket.close()
        if cause := _cause(error):
            raise LinkError(f"the proxy {proxy} opens no way to {url}", cause=cause, hint=hint) from None
        raise
    return stream


def _cause(error: BaseException) -> str:
    """What an error says of a proxy that makes no sense; empty if it is another one."""
    if isinstance(error, trio.TooSlowError):
        return f"its answer was not complete within {ANSWER_TIME:g} s"
    if isinstance(error, trio.BrokenResourceError):
        return "it broke the connection"
    return str(error) if isinstance(error, ValueError) else ""


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    """Raises ValueError for what can be no host name."""
    name = host if host.isascii() else host.encode("idna").decode()
    if not name.isprintable() or " " in name:
        raise ValueError(f"{name!r} is no host name")
    target = f"{bracketed(name)}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.credentials:
        lines.append(f"Proxy-Authorization: Basic {proxy.credentials}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _head(stream: trio.SocketStream) -> bytes:
    """What the proxy says, to the end of its header at least. Raises ValueError where that does not come."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(4096)
        data += more
        if len(data) > MAX_ANSWER:
            raise ValueError("what it answers does not end")
        if not more:
            raise ValueError(f"it closed the connection after {_quoted(data)}" if data else "it closed the connection")
    return data


def _check(answer: bytes, proxy: Proxy, url: str, hint: str) -> None:
    """Raises LinkError where the proxy refuses, ValueError where it makes no sense: the server does not speak first."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0]
    version, _, status = line.partition(b" ")
    code = status[:3]
    if not version.startswith(b"HTTP/1.") or not (len(code) == 3 and code.isdigit()):
        raise ValueError(f"it is no HTTP proxy: it began with {_quoted(line)}")
    if code.startswith(b"2"):
        if rest:
            raise ValueError("it says more than that the way is open")
        return
    if int(code) == UNAUTHORIZED:
        _ask_credentials(proxy, line)
    raise LinkError(f"the proxy {proxy} refuses {url}", cause=f"it answered {_quoted(line)}", hint=hint)


def _ask_credentials(proxy: Proxy, line: bytes) -> NoReturn:
    wants = "does not take the credentials it was given" if proxy.credentials else "asks for credentials"
    address = str(proxy).replace("//", "//USER:PASSWORD@")
    hint = f"{proxy.variable}={address} glow node"
    raise LinkError(f"the proxy {proxy} {wants}", cause=f"it answered {_quoted(line)}", hint=hint)


def _quoted(data: bytes) -> str:
    """One line of what a stranger said, short, with nothing in it that a terminal obeys."""
    return repr(data.partition(b"\r\n")[0].decode("latin-1")[:MAX_QUOTED])
