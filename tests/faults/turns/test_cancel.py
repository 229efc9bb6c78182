"""A cancel reaches the engine at once, in whatever state it finds the turn, and on whichever process."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import Replica, accept, are_whole, ended, kill, read_on, text_of, until_sent
from tests.stack import Stack

LONG = " ".join(f"word{number}" for number in range(30))


async def cancel(stack: Stack, turn_id: str) -> dict[str, Any]:
    status, found = await stack.call("POST", f"/v1/turns/{turn_id}/cancel")
    assert status == 200, found
    reply: dict[str, Any] = found
    return reply


async def until_it_talks(stack: Stack, engine: ChatServer) -> str:
    """A turn whose engine has begun."""
    before = len(engine.bodies)
    turn_id = await accept(stack, LONG)
    await until_sent(lambda: engine.running and len(engine.bodies) > before)
    await asyncio.sleep(0.4)
    return turn_id


async def test_a_cancel_stops_the_engine_and_keeps_what_was_said(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    """Asked of whichever of two orchestrators: half the time it is not the one that runs the turn."""
    turn_id = await until_it_talks(faulty, slow)

    found = await cancel(faulty, turn_id)

    await until_sent(lambda: not slow.running, seconds=15)
    turn = await ended(faulty, turn_id)
    events = await read_on([faulty.gateway_url], faulty, turn_id)
    assert (found["found"], found["phase"], found["done"]) == ("running", "synthesis", True)
    assert turn["status"] == "cancelled"
    assert LONG.startswith(turn["output"])
    assert turn["output"]
    assert text_of(events) == turn["output"]
    assert are_whole(events)
    assert events[-1]["type"] == "turn.cancelled"


async def test_a_cancel_by_nats_does_the_same_and_may_be_said_again(faulty: Stack, slow: ChatServer) -> None:
    turn_id = await until_it_talks(faulty, slow)
    client = await faulty.bus()
    try:
        body = b'{"user":"alice","action":"cancel"}'
        first = await client.request(f"turn.control.{turn_id}", body, timeout=5)
        await ended(faulty, turn_id)
        again = await client.request(f"turn.control.{turn_id}", body, timeout=5)
    finally:
        await client.close()

    assert b'"done":true' in first.data
    assert b'"found":"cancelled"' in again.data


async def test_a_turn_is_cancelled_before_its_first_token(faulty: Stack, slow: ChatServer) -> None:
    slow.script.append("silence")
    before = len(slow.bodies)
    turn_id = await accept(faulty, LONG)
    await until_sent(lambda: len(slow.bodies) > before)

    found = await cancel(faulty, turn_id)

    assert found["done"] is True
    assert (await ended(faulty, turn_id))["status"] == "cancelled"


async def test_a_turn_that_waits_is_cancelled_and_never_begins(faulty: Stack, slow: ChatServer) -> None:
    session = f"cancel-{uuid4().hex[:8]}"
    before = len(slow.bodies)
    first = await accept(faulty, LONG, session_id=session)
    waiting = await accept(faulty, "Never said.", session_id=session)

    found = await cancel(faulty, waiting)

    assert (found["found"], found["done"]) == ("queued", True)
    assert (await ended(faulty, waiting))["status"] == "cancelled"
    assert (await ended(faulty, first))["status"] == "saved"
    assert len(slow.bodies) == before + 1


async def test_a_cancel_that_was_answered_holds_though_the_process_dies(
    faulty: Stack, slow: ChatServer
) -> None:
    turn_id = await until_it_talks(faulty, slow)

    found = await cancel(faulty, turn_id)
    kill(faulty, "orchestrator")

    assert found["done"] is True
    assert (await ended(faulty, turn_id))["status"] == "cancelled"


async def test_a_turn_whose_process_died_is_cancelled_by_any_other(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    turn_id = await until_it_talks(faulty, slow)
    kill(faulty, "orchestrator")

    await asyncio.sleep(0.2)
    status, found = await faulty.call("POST", f"/v1/turns/{turn_id}/cancel")

    turn = await ended(faulty, turn_id)
    assert status == 200, found
    assert turn["status"] == ("cancelled" if found["done"] else "saved")
    assert found["done"] is True
