"""SIGKILL of each process while a turn runs: the turn ends once, and its readers miss nothing."""

import asyncio
import os
import signal
from collections import Counter
from typing import Any

import aiohttp
import pytest
from nats.js.errors import NotFoundError

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

LONG = " ".join(f"word{number}" for number in range(20))


@pytest.mark.parametrize("part", ["orchestrator", "inference", "gateway", "indexer", "nats", "postgres"])
async def test_a_turn_survives_the_death_of_any_process(
    faulty: Stack, slow: ChatServer, second_gateway: Replica, part: str
) -> None:
    asked_before = len(slow.bodies)
    turn_id = await accept(faulty, LONG)
    reading = asyncio.create_task(read_on([faulty.gateway_url, second_gateway.url], faulty, turn_id))
    await until_sent(lambda: slow.running and len(slow.bodies) > asked_before)
    await asyncio.sleep(0.5)

    kill(faulty, part)

    events = await reading
    turn = await ended(faulty, turn_id)
    assert turn["status"] == "saved", turn
    assert turn["output"] == LONG
    assert are_whole(events), [event["index"] for event in events]
    assert text_of(events) == LONG
    assert events[-1]["type"] == "turn.saved"
    await faulty.until_indexed(turn_id)
    assert (await outcomes_of(faulty, turn_id))["turn.saved"] == 1
    rows = await faulty.rows("SELECT 1 FROM pandora.turns WHERE turn_id = $1", turn_id)
    assert len(rows) == 1


async def test_what_was_accepted_a_moment_before_everything_died_is_answered(
    faulty: Stack, slow: ChatServer
) -> None:
    slow.word_seconds = 0.0
    turn_id = await accept(faulty, "Remember me.")

    for part in ("nats", "orchestrator", "gateway", "inference"):
        kill(faulty, part)

    await until_back(faulty)
    assert (await ended(faulty, turn_id))["status"] == "saved"


async def test_another_orchestrator_goes_on_where_a_killed_one_was(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    """Whichever of the two has the turn is killed; what it finished is not done again."""
    asked_before = len(slow.bodies)
    turn_id = await accept(faulty, LONG)
    await until_sent(lambda: slow.running and len(slow.bodies) > asked_before)
    await asyncio.sleep(0.3)
    holder = await holder_of(faulty, second_orchestrator, turn_id)

    os.kill(holder, signal.SIGKILL)

    turn = await ended(faulty, turn_id)
    events = await read_on([faulty.gateway_url], faulty, turn_id)
    kinds = Counter(event["type"] for event in events)
    assert turn["status"] == "saved"
    assert kinds["turn.sources"] == 1, "memory was asked once"
    assert kinds["output.restarted"] == 1
    assert are_whole(events)
    assert text_of(events) == turn["output"] == LONG


async def test_an_orchestrator_that_was_paused_does_not_end_a_turn_a_second_time(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    asked_before = len(slow.bodies)
    turn_id = await accept(faulty, LONG)
    await until_sent(lambda: slow.running and len(slow.bodies) > asked_before)
    await asyncio.sleep(0.3)
    holder = await holder_of(faulty, second_orchestrator, turn_id)

    pause(holder)
    try:
        await ended(faulty, turn_id)
    finally:
        os.kill(holder, signal.SIGCONT)
    await asyncio.sleep(3.0)

    assert (await outcomes_of(faulty, turn_id))["turn.saved"] == 1
    events = await read_on([faulty.gateway_url], faulty, turn_id)
    assert are_whole(events)
    assert text_of(events) == LONG


async def holder_of(stack: Stack, other: Replica, turn_id: str) -> int:
    """The process id of the orchestrator that runs the turn: the one that has one in hand."""
    pids = []
    for url, pid in (
        (f"http://127.0.0.1:{stack.ports['orchestrator']}", stack.pid_of("orchestrator")),
        (other.url, other.process.pid),
    ):
        if await running_turns(url):
            pids.append(pid)
    assert len(pids) == 1, pids
    return pids[0]


async def running_turns(url: str) -> float:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
        for line in (await response.text()).splitlines():
            if line.startswith("pandora_turns_running "):
                return float(line.split()[1])
    raise AssertionError("no pandora_turns_running")


async def outcomes_of(stack: Stack, turn_id: str) -> dict[str, int]:
    """How often each outcome of the turn stands on the stream OUTCOMES."""
    client = await stack.bus()
    try:
        jetstream = client.jetstream()
        found: Counter[str] = Counter()
        state = (await jetstream.stream_info("OUTCOMES")).state
        for sequence in range(state.first_seq, state.last_seq + 1):
            try:
                message: Any = await jetstream.get_msg("OUTCOMES", seq=sequence)
            except NotFoundError:  # It was forgotten.
                continue
            if turn_id in (message.data or b"").decode():
                found[message.subject] += 1
        return dict(found)
    finally:
        await client.close()
