"""Stores and the bus away for a while, and every service restarted under load."""

import asyncio
import os
import signal
import time
from typing import Any
from uuid import uuid4

import aiohttp
import psutil
import pytest

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import (
    Replica,
    accept,
    are_whole,
    ended,
    kill,
    read_on,
    text_of,
    until_back,
    until_sent,
)
from tests.servers.processes import pause
from tests.stack import Stack

LONG = " ".join(f"word{number}" for number in range(30))
AWAY_SECONDS = 20.0


async def test_turns_run_without_postgresql_say_so_and_are_indexed_afterwards(
    faulty: Stack, slow: ChatServer
) -> None:
    slow.word_seconds = 0.0
    pid = faulty.pid_of("postgres")
    children = [pid, *children_of(pid)]
    for one in children:
        pause(one)
    try:
        events = await faulty.stream("Is anybody there?")
        ready, states = await faulty.call("GET", "/readyz")
        await asyncio.sleep(6)
    finally:
        for one in reversed(children):
            os.kill(one, signal.SIGCONT)

    assert events[-1]["type"] == "turn.saved"
    (sources,) = (event for event in events if event["type"] == "turn.sources")
    assert sources["degraded"] == ["memory"]
    assert ready == 503
    assert states["dependencies"]["indexer"] != "ok"
    await faulty.until_indexed(events[-1]["turn_id"])
    status, letters = await faulty.call("GET", f"/v1/turns/{events[-1]['turn_id']}")
    assert status == 200, letters


async def test_a_running_turn_outlives_an_outage_of_nats_and_new_ones_are_refused_meanwhile(
    faulty: Stack, slow: ChatServer, second_gateway: Replica
) -> None:
    """Twenty seconds here; `make soak` kills it many times, and sixty seconds were tried by hand."""
    before = len(slow.bodies)
    turn_id = await accept(faulty, LONG)
    reading = asyncio.create_task(read_on([faulty.gateway_url, second_gateway.url], faulty, turn_id))
    await until_sent(lambda: slow.running and len(slow.bodies) > before)
    await asyncio.sleep(0.3)
    pid = faulty.pid_of("nats")

    pause(pid)
    await asyncio.sleep(0.5)  # Its threads stop one by one.
    refused: list[tuple[int, Any]] = []
    try:
        begun = time.monotonic()
        while time.monotonic() < begun + AWAY_SECONDS:
            refused.append(await faulty.call("POST", "/v1/turns", {"input": "Is anybody there?"}))
        ready, states = await faulty.call("GET", "/readyz")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert len(refused) > 1, "once the outage is known, it is said sooner"
    assert {status for status, _ in refused} == {503}
    assert ready == 503, states
    assert all("try again" in problem["detail"] for _, problem in refused)
    events = await reading
    turn = await ended(faulty, turn_id)
    assert turn["status"] == "saved", turn
    assert are_whole(events), [event["index"] for event in events]
    assert text_of(events) == turn["output"] == LONG
    await faulty.until_ready()
    assert (await faulty.ask("After the outage."))["type"] == "turn.saved"


async def test_every_service_is_restarted_under_load_and_no_turn_fails(
    faulty: Stack, slow: ChatServer, second_gateway: Replica, second_orchestrator: Replica
) -> None:
    """SIGTERM to each in its turn; the launcher starts it again. Readers see no more than a reconnect."""
    slow.word_seconds = 0.05
    stop = asyncio.Event()
    told: list[tuple[str, list[dict[str, Any]]]] = []

    async def client(number: int) -> None:
        session = f"rolling-{uuid4().hex[:8]}"
        turn = 0
        while not stop.is_set():
            turn += 1
            key = f"{session}-{turn}"
            turn_id = await accept_anyhow(
                [faulty.gateway_url, second_gateway.url], faulty, f"{LONG} {key}", session, key
            )
            urls = [second_gateway.url, faulty.gateway_url]
            told.append((turn_id, await read_on(urls, faulty, turn_id)))

    clients = [asyncio.create_task(client(number)) for number in range(6)]
    for part in ("gateway", "orchestrator", "inference", "indexer"):
        await asyncio.sleep(1.0)
        kill(faulty, part, signal.SIGTERM)
        await asyncio.sleep(1.0)
        async with asyncio.timeout(60):
            await until_back(faulty)
    stop.set()
    await asyncio.gather(*clients)

    assert len(told) >= 12
    for turn_id, events in told:
        assert events[-1]["type"] == "turn.saved", (turn_id, events[-1])
        assert are_whole(events)
        assert text_of(events) == events[-1]["output"]


async def accept_anyhow(urls: list[str], stack: Stack, text: str, session: str, key: str) -> str:
    """As a client does that repeats its request with the same key until it is answered."""
    body = {"input": text, "session_id": session}
    for attempt in range(200):
        try:
            async with aiohttp.ClientSession() as http:
                headers = {**stack.headers(), "idempotency-key": key}
                url = f"{urls[attempt % len(urls)]}/v1/turns"
                async with http.post(url, json=body, headers=headers) as response:
                    if response.status == 202:
                        return str((await response.json())["id"])
                    assert response.status == 503, await response.text()
        except (aiohttp.ClientError, ConnectionError):
            pass
        await asyncio.sleep(0.1)
    pytest.fail("not accepted within 200 tries")


def children_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
