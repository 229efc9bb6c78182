"""A stack whose engine talks at a pace, with memory away: turns that run as long as the bench needs them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import msgspec

from bench.engines.paced import Chat, PacedEngine
from bench.running.parts import Installation
from bench.running.run import Run


class _Accepted(msgspec.Struct):
    id: str


class Talking:
    """The installation, its engine, and one HTTP client."""

    def __init__(self, installation: Installation, engine: PacedEngine, http: aiohttp.ClientSession) -> None:
        self.installation = installation
        self.engine = engine
        self.http = http
        self.url = f"http://127.0.0.1:{installation.gateway_port}/v1/turns"
        self._numbers = count(1)

    @classmethod
    @asynccontextmanager
    async def started(cls, run: Run) -> AsyncIterator["Talking"]:
        async with PacedEngine.serving() as engine, aiohttp.ClientSession() as http:
            installation = run.installation(
                INFERENCE_ENGINE="openai",
                OPENAI_BASE_URL=engine.url,
                CONTEXT_PASSAGES="0",
                HISTORY_TURNS="0",
            )
            async with installation.running("nats", ("orchestrator", "inference", "gateway")):
                yield cls(installation, engine, http)

    async def begin(self) -> tuple[str, Chat]:
        """The id of a new turn, and its request to the engine, which has just begun."""
        body = {"input": f"Say it, number {next(self._numbers)}."}
        async with self.http.post(self.url, json=body) as response:
            response.raise_for_status()
            accepted = msgspec.json.decode(await response.read(), type=_Accepted)
        return accepted.id, await self.engine.next_chat()

    async def cancel(self, turn_id: str) -> None:
        async with self.http.post(f"{self.url}/{turn_id}/cancel") as response:
            response.raise_for_status()
            await response.read()
