"""A small web on loopback: 127.0.0.2 stands for the public internet, 127.0.0.1 for what must not be read."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
from aiohttp import web

from services.orchestrator.tools.ports import Unreadable
from services.orchestrator.web.http import WebLimits, WebReader

PUBLIC, PRIVATE = "127.0.0.2", "127.0.0.1"
ARTICLE = """<!doctype html><html><head><title>How bees dance</title>
<meta property="article:published_time" content="2026-03-14T08:00:00Z"></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop</a></nav>
<article><h1>How bees dance</h1>
<p>A forager that has found flowers tells the others where they are by a dance on the comb of the hive.</p>
<p>The angle of the dance to the vertical is the angle of the flowers to the sun, its length the way.</p>
<p>Karl von Frisch described the dance of the bees, and received the Nobel prize for it in the year 1973.</p>
</article><footer>Cookies? Accept all.</footer></body></html>"""
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Site:
    """What was asked of it, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hosts: list[str] = []
        self.sent_bytes = 0
        self.robots: str | int = ""
        self.pages: dict[str, Handler] = {}
        self.port = 0

    def url(self, path: str, host: str = "site.test") -> str:
        return f"http://{host}:{self.port}{path}"

    def text(self, path: str, body: str | bytes, kind: str = "text/html", **headers: str) -> None:
        async def answer(request: web.BaseRequest) -> web.Response:
            data = body.encode() if isinstance(body, str) else body
            return web.Response(body=data, headers={"Content-Type": kind, **headers})

        self.pages[path] = answer

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        async def answer(request: web.BaseRequest) -> web.Response:
            return web.Response(status=status, headers={"Location": location})

        self.pages[path] = answer

    def stream(
        self,
        path: str,
        chunk: bytes,
        times: int | None,
        *,
        pause: float = 0.0,
        kind: str = "text/plain",
        length: str = "",
    ) -> None:
        """A body of `times` chunks, or one that never ends."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": kind})
            if length:
                response.headers["Content-Length"] = length
            await response.prepare(request)
            sent = 0
            while times is None or sent < times:
                await response.write(chunk)
                sent += 1
                self.sent_bytes += len(chunk)
                await asyncio.sleep(pause)
            return response

        self.pages[path] = answer

    def bomb(self, path: str, megabytes: int) -> None:
        """Very little that unpacks to very much."""
        body = gzip.compress(b"0" * (megabytes * 1_000_000))
        self.text(path, body, "text/plain", **{"Content-Encoding": "gzip"})

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.hosts.append(request.host)
        if request.path == "/robots.txt":
            if isinstance(self.robots, int):
                return web.Response(status=self.robots)
            return web.Response(text=self.robots)
        self.asked.append(request.path)
        page = self.pages.get(request.path)
        return web.Response(status=404) if page is None else await page(request)


@asynccontextmanager
async def site_at(address: str, *, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site = Site()
    runner = web.ServerRunner(web.Server(site.answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, address, port, ssl_context=tls)
        await listening.start()
        site.port = runner.addresses[0][1]
        yield site
    finally:
        await runner.cleanup()


class Names:
    """A resolver whose answers a test writes down, one after the other; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): [list(each) for each in of] for name, of in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        known = self.answers.get(host)
        if known is None:
            raise OSError(f"{host} is not known")
        return known.pop(0) if len(known) > 1 else known[0]


def reader_of(
    *sites: Site, names: Names | None = None, limits: WebLimits | None = None, tls: object = True
) -> WebReader:
    return WebReader(
        allowed=[ip_network(f"{PUBLIC}/32")],
        ports=[site.port for site in sites],
        look_up=names or Names(site_test=[[PUBLIC]]),
        limits=limits or WebLimits(seconds=5.0, text_seconds=5.0, bytes=1_000_000),
        tls=tls,
    )


async def refused(reader: WebReader, url: str) -> str:
    """Why the page is not read."""
    with pytest.raises(Unreadable) as error:
        await reader.fetch(url)
    return error.value.reason
