"""Reads pages of the public web, with limits for time, size, kind of content and redirects."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from services.orchestrator.tools.ports import Page, Unreadable
from services.orchestrator.web.connector import LookUp, guarded_connector, look_up
from services.orchestrator.web.decoding import decoded, form_of
from services.orchestrator.web.freshness import expiry_of
from services.orchestrator.web.guard import Forbidden, Network, WebGuard
from services.orchestrator.web.pypdf import PDF_FAULTS, PdfTexts
from services.orchestrator.web.robots import AGENT, MOST_BYTES, Robots
from services.orchestrator.web.trafilatura import Text, TextReader

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONNECT_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 64 * 1024
_HEADERS: Final = {
    "User-Agent": f"{AGENT}/0.1 (a personal assistant; reads single pages on request)",
    "Accept": "text/html,application/xhtml+xml,text/plain,text/markdown,application/json,text/xml,"
    "application/pdf",
    "Accept-Encoding": "gzip, deflate",
}


class WebLimits(msgspec.Struct, frozen=True):
    seconds: float = 20.0
    """For everything: robots.txt, redirects, page, text."""
    text_seconds: float = 10.0
    """For the extraction of the text."""
    bytes: int = 3_000_000
    """The most that one page may have, unpacked."""


class _Answer(msgspec.Struct, frozen=True):
    url: URL
    status: int
    headers: Mapping[str, str]
    content_type: str
    charset: str | None
    body: bytes


class WebReader:
    """Web over HTTP. Each page has its own connection, without cookies or proxy. Only robots.txt is
    remembered."""

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        limits: WebLimits | None = None,
        ports: Sequence[int] = (),
        allowed: Sequence[Network] = (),
        look_up: LookUp = look_up,
        tls: Any = True,
    ) -> None:
        """`ports` and `allowed` networks are added to the normal ones; `tls` is an SSLContext."""
        self._clock = clock
        self._limits = limits or WebLimits()
        self._guard = WebGuard(allowed=allowed, ports=ports)
        self._look_up = look_up
        self._tls = tls
        self._robots = Robots()
        self._texts = TextReader(seconds=self._limits.text_seconds)
        self._pdfs = PdfTexts(seconds=self._limits.text_seconds)

    async def fetch(self, url: str) -> Page:
        try:
            checked = self._guard.read_url(url)
        except Forbidden as error:
            raise Unreadable("", f"{error}", "refused") from error
        domain = _domain(checked)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._page(await self._followed(checked))
        except Forbidden as error:  # Pandora refuses this; the site did nothing wrong.
            raise Unreadable("", f"{error}", "refused") from error
        except _Unfit as error:
            raise Unreadable(domain, f"{error}", error.brief) from error
        except TimeoutError as error:
            reason = f"it took longer than {self._limits.seconds:g} seconds"
            raise Unreadable(domain, reason, "timeout") from error
        except (ClientError, OSError, ValueError) as error:
            reason = f"no answer that can be read ({_short(error)})"
            raise Unreadable(domain, reason, "no answer") from error

    async def _followed(self, url: URL) -> _Answer:
        """Follows redirects, each of which the guard and the robots.txt of its site have to allow."""
        for _ in range(_MOST_REDIRECTS + 1):
            if not await self._robots.allows(url, self._rules):
                raise _Unfit(f"{url.raw_host} asks programs not to read this (robots.txt)", "robots.txt")
            answer = await self._get(url, self._check_page)
            if answer.status not in _REDIRECTS:
                return answer
            url = self._target(answer)
        raise _Unfit(f"it is redirected more than {_MOST_REDIRECTS} times", "redirects")

    async def _rules(self, url: URL) -> tuple[int, bytes]:
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._get(url, lambda response: MOST_BYTES, is_cut=True)
            if answer.status not in _REDIRECTS:
                return answer.status, answer.body
            url = self._target(answer)
        return 404, b""

    def _target(self, answer: _Answer) -> URL:
        location = answer.headers.get("Location", "")
        if not location:
            raise _Unfit("it is redirected to nowhere", "redirects")
        return self._guard.read_redirect(answer.url, location)

    async def _get(
        self, url: URL, check: Callable[[ClientResponse], int], *, is_cut: bool = False
    ) -> _Answer:
        """`check` returns how many bytes of the answer are read, or raises."""
        self._guard.check_url(url)
        async with (
            ClientSession(
                connector=guarded_connector(self._guard, self._look_up, tls=self._tls),
                cookie_jar=DummyCookieJar(),
                headers=_HEADERS,
                timeout=ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                trust_env=False,
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            is_redirect = response.status in _REDIRECTS
            body = b"" if is_redirect else await _read(response, check(response), is_cut=is_cut)
            return _Answer(
                url, response.status, response.headers, response.content_type, response.charset, body
            )

    def _check_page(self, response: ClientResponse) -> int:
        if response.status != 200:
            raise _Unfit(
                f"the server answered {response.status}; try another address", f"HTTP {response.status}"
            )
        if "Content-Type" not in response.headers:
            raise _Unfit("the server does not say what it is (no Content-Type)", "no type")
        if form_of(response.content_type) is None:
            raise _Unfit(
                f"it is {response.content_type[:100]}; HTML, PDF, text, JSON, XML and Markdown are read",
                "another type",
            )
        return self._limits.bytes

    async def _page(self, answer: _Answer) -> Page:
        try:
            read = await self._text(answer)
        except TimeoutError as error:
            raise _Unfit(
                "its text could not be found in time; it may be very large or broken", "text not found"
            ) from error
        if not read.text:
            raise _Unfit("there is no text in it; it may need a browser that runs scripts", "no text")
        now = self._clock()
        return Page(
            url=str(answer.url),
            domain=_domain(answer.url),
            title=read.title,
            text=read.text,
            published_at=read.published_at,
            fetched_at=now,
            expires_at=expiry_of(answer.headers, now),
        )

    async def _text(self, answer: _Answer) -> Text:
        form = form_of(answer.content_type) or "plain"
        if form == "pdf":
            pdf = await self._pdfs.read(answer.body)
            if pdf.fault:
                raise _Unfit(*PDF_FAULTS[pdf.fault])
            return Text(title=pdf.title, text=pdf.text, published_at=pdf.made_at)
        source = await asyncio.to_thread(decoded, answer.body, answer.charset, form)
        return await self._texts.read(source, form, str(answer.url))


class _Unfit(Exception):
    """The answer of the server cannot be read."""

    def __init__(self, reason: str, brief: str) -> None:
        super().__init__(reason)
        self.brief = brief


def _domain(url: URL) -> str:
    return (url.host_port_subcomponent or "").lower().rstrip(".")


async def _read(response: ClientResponse, most: int, *, is_cut: bool) -> bytes:
    """Unpacks piece by piece, and stops at `most` bytes, also where the server says another length."""
    if not is_cut and (response.content_length or 0) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > most:
            if is_cut:
                break
            raise _too_large(most)
    return bytes(body[:most])


def _too_large(most: int) -> _Unfit:
    return _Unfit(f"it is larger than {most / 1e6:g} MB; look for a shorter page", "too large")


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
