"""More processes of a service than `pandora up` starts, and readers that come back to any of them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.servers.ports import free_ports
from tests.stack import ROOT, Stack

_PORT = {"gateway": "GATEWAY_PORT", "orchestrator": "ORCHESTRATOR_PORT", "inference": "INFERENCE_PORT"}
_READY_SECONDS = 60.0
_TURN_SECONDS = 90.0


class Replica:
    """One more process of a service of a stack."""

    def __init__(self, stack: Stack, service: str, **settings: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (stack.data_dir / f"replica-{service}-{self.port}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"],
            cwd=ROOT if service != "gateway" else stack.data_dir,
            env={**stack.environment, _PORT[service]: str(self.port), "PYTHONPATH": str(ROOT), **settings},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    async def until_ready(self) -> None:
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self._log.close()


@asynccontextmanager
async def replica(stack: Stack, service: str, **settings: str) -> AsyncIterator[Replica]:
    started = Replica(stack, service, **settings)
    try:
        await started.until_ready()
        yield started
    finally:
        await asyncio.to_thread(started.stop)


def kill(stack: Stack, part: str, number: int = signal.SIGKILL) -> None:
    os.kill(stack.pid_of(part), number)


async def read_on(
    urls: Sequence[str], stack: Stack, turn_id: str, *, user: str = "alice", after: int = -1
) -> list[dict[str, Any]]:
    """Returns each event of a turn after `after`. Where the connection breaks, it asks the next gateway."""
    events: list[dict[str, Any]] = []
    attempt = 0
    async with asyncio.timeout(_TURN_SECONDS), aiohttp.ClientSession() as http:
        while not events or events[-1]["type"] not in ("turn.saved", "turn.failed", "turn.cancelled"):
            url = urls[attempt % len(urls)]
            attempt += 1
            last = events[-1]["index"] if events else after
            headers = (
                {**stack.headers(user), "last-event-id": str(last)} if last >= 0 else stack.headers(user)
            )
            try:
                async with http.get(f"{url}/v1/turns/{turn_id}/events", headers=headers) as response:
                    if response.status == 200:
                        async for event in stack.events(response):
                            events.append(event)
                    else:
                        assert response.status in (502, 503), await response.text()
            except (aiohttp.ClientError, ConnectionError):
                pass
            await asyncio.sleep(0.1)
    return events


async def accept(
    stack: Stack,
    text: str | list[dict[str, str]],
    *,
    url: str = "",
    user: str = "alice",
    tries: int = 1,
    **more: Any,
) -> str:
    """The id of a turn, once it is accepted. `tries`: so often, where the answer is 503, Try again."""
    async with aiohttp.ClientSession() as http:
        headers = {**stack.headers(user), "content-type": "application/json"}
        body = json.dumps({"input": text, **more})
        for left in reversed(range(tries)):
            async with http.post(
                f"{url or stack.gateway_url}/v1/turns", data=body, headers=headers
            ) as response:
                if response.status == 503 and left:
                    continue
                assert response.status == 202, (response.status, await response.text())
                return str((await response.json())["id"])
    raise AssertionError("tries must be 1 or more")


async def ended(stack: Stack, turn_id: str, *, user: str = "alice") -> dict[str, Any]:
    """The turn as it ended."""
    async with asyncio.timeout(_TURN_SECONDS):
        while True:
            try:
                status, turn = await stack.call("GET", f"/v1/turns/{turn_id}", user=user)
            except aiohttp.ClientError:  # Its gateway is not back yet.
                status, turn = 503, {}
            if status == 200 and turn["status"] in ("saved", "failed", "cancelled"):
                found: dict[str, Any] = turn
                return found
            await asyncio.sleep(0.05)


def text_of(events: Sequence[dict[str, Any]]) -> str:
    """The deltas joined, as a client does."""
    texts: list[str] = []
    for event in events:
        if event["type"] == "output.delta":
            texts.append(event["text"])
        elif event["type"] == "output.restarted":
            texts.clear()
    return "".join(texts)


def are_whole(events: Sequence[dict[str, Any]], first: int = 0) -> bool:
    """Each index once, in order, from `first` to the last event."""
    return [event["index"] for event in events] == list(range(first, first + len(events)))


async def until_sent(server_running: Any, seconds: float = 20.0) -> None:
    """Waits until `server_running()` is true."""
    async with asyncio.timeout(seconds):
        while True:
            if server_running():
                return
            await asyncio.sleep(0.01)


async def until_back(stack: Stack) -> None:
    while True:
        try:
            await stack.until_ready()
            return
        except (aiohttp.ClientError, ConnectionError):
            await asyncio.sleep(0.1)
