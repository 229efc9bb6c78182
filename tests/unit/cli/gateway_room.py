"""Gateways of a few lines: one over HTTP with the routes of a test, one for commands that are run whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from cli.client.gateway import GatewayError


@asynccontextmanager
async def served(app: web.Application, **options: Any) -> AsyncIterator[str]:
    """Serves it on a free port, and gives its address."""
    runner = web.AppRunner(app, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
    await asyncio.sleep(0)  # Connections that were closed end now.


class Answering:
    """The gateway, with answers that a test has chosen."""

    def __init__(self, answer: dict[str, Any] | GatewayError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        self.asked.append((method, path))
        if isinstance(self.answer, GatewayError):
            raise self.answer
        return self.answer

    @asynccontextmanager
    async def connect(self, timeout: object = None) -> AsyncIterator["Answering"]:
        yield self

    def stand_in(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> "Answering":
        """These modules reach it instead of the gateway of the settings."""
        for module in modules:
            monkeypatch.setattr(module, "own_gateway", self.connect)
        return self
