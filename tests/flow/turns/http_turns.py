"""What tests of turns over HTTP ask with: another gateway, requests with headers, streams read in part."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp

from tests.servers.ports import free_ports
from tests.stack import ROOT, Stack

Event = dict[str, Any]


@asynccontextmanager
async def second_gateway(stack: Stack) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """Another gateway in front of the same bus: its URL and its process."""
    (port,) = free_ports(1)
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it blocks for a moment only
        [sys.executable, "-m", "services.gateway"],
        cwd=stack.data_dir,
        env=stack.environment | {"GATEWAY_PORT": str(port), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{url}/readyz") as response:
                        if response.status == 200:
                            break
                except aiohttp.ClientConnectorError:
                    pass
                await asyncio.sleep(0.1)
        yield url, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 15)


@asynccontextmanager
async def request(
    stack: Stack, method: str, path: str, body: object = None, *, url: str | None = None, **headers: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    sent = stack.headers() | {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as http,
        http.request(method, (url or stack.gateway_url) + path, json=body, headers=sent) as response,
    ):
        yield response


async def post(stack: Stack, body: object, key: str, **more: Any) -> tuple[int, Any]:
    async with request(stack, "POST", "/v1/turns", body, idempotency_key=key, **more) as response:
        return response.status, await response.json()


async def events_of(stack: Stack, turn_id: str, after: int = -1, url: str | None = None) -> list[Event]:
    path = f"/v1/turns/{turn_id}/events?starting_after={after}"
    async with request(stack, "GET", path, url=url) as response:
        assert response.status == 200, await response.text()
        return [event async for event in stack.events(response)]


async def until_speaking(stack: Stack, response: aiohttp.ClientResponse) -> list[Event]:
    """Everything up to the second word."""
    events: list[Event] = []
    async for event in stack.events(response):
        events.append(event)
        if sum(event["type"] == "output.delta" for event in events) == 2:
            break
    return events


def words(count: int) -> str:
    """What takes the model `count` / 20 seconds."""
    return "word " * count


def key() -> str:
    return str(uuid4())


async def show(stack: Stack, text: str, image: dict[str, str], **more: str) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": text}, {"type": "input_image", **image}]
    status, accepted = await stack.call("POST", "/v1/turns", {"input": parts, **more})
    assert status == 202, accepted
    async with asyncio.timeout(30):
        while True:
            _, turn = await stack.call("GET", f"/v1/turns/{accepted['id']}")
            if turn["status"] not in ("queued", "running"):
                found: dict[str, Any] = turn
                return found
            await asyncio.sleep(0.05)


def unique(word: str) -> str:
    """A name that no other test has told the stack about."""
    return f"{word}{uuid4().hex[:6]}"
