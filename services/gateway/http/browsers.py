"""What keeps other people's web pages away: checks of Host and Origin, and headers that browsers obey.

A page of any site may send requests to 127.0.0.1 from the browser of a person who has it open. On loopback
two checks refuse it. `Host` has to be a name of this machine: a page whose own name was made to lead here
(DNS rebinding) sends its own. `Origin` has to be this address, or one of CORS_ORIGINS.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.http.problems import problem_of

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Of every answer that does not say otherwise."""
_LOCAL_NAMES = frozenset({"localhost", "host.docker.internal", "host.containers.internal"})
"""Names of this machine, also from its containers. No page on the internet can have one."""
_OVER_TLS = (b"strict-transport-security", b"max-age=31536000")


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """From where browsers may ask."""

    is_loopback: bool
    hosts: frozenset[str]
    """Names that `Host` may have as well. Not empty: it may have no other, beyond loopback too."""
    origins: frozenset[str]

    def refusal(self, headers: dict[bytes, bytes]) -> str:
        """Why this request is refused. Empty: it is not."""
        host = headers.get(b"host", b"").decode("latin-1")
        # A browser always sends it. Old monitors don't.
        if host and (self.is_loopback or self.hosts) and not self._is_ours(_name_in(host)):
            return f"the Host {host!r} is no name of this gateway; add it to ALLOWED_HOSTS"
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not (self.is_loopback and origin) or origin in self.origins or "*" in self.origins:
            return ""
        if urlsplit(origin).netloc.lower() == host.lower():
            return ""
        return f"pages of the Origin {origin!r} may not ask this gateway; add it to CORS_ORIGINS"

    def _is_ours(self, name: str) -> bool:
        if name in self.hosts:
            return True
        if name in _LOCAL_NAMES:
            return self.is_loopback
        try:
            return self.is_loopback and ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _name_in(host: str) -> str:
    """`[::1]:9000` -> `::1`."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def guarded(app: Any, doors: Doors) -> ASGIApp:
    """Plain ASGI: it runs for every request, those for health and metrics too."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_missing(message["headers"], scope)]
            await send(message)

        if refused := doors.refusal(dict(scope["headers"])):
            await _refuse(send_with_headers, refused)
        else:
            await app(scope, receive, send_with_headers)

    return middleware


def _missing(headers: Iterable[tuple[bytes, bytes]], scope: Scope) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    given = (*_HEADERS, _OVER_TLS) if scope["scheme"] == "https" else _HEADERS
    return [header for header in given if header[0] not in present]


async def _refuse(send: Send, why: str) -> None:
    body = msgspec.json.encode(problem_of(403, why))
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
