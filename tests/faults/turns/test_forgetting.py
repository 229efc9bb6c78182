"""What was asked to be forgotten is forgotten, whatever dies meanwhile, and nothing late brings it back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.bus.rights import OPERATOR
from shared.contract.events import ForgetRequested, ForgetScope, MemoryExtracted, encode
from shared.contract.memories import Statement
from tests.contracts.inference.engines_server import ChatServer
from tests.contracts.orchestrator.images_room import png_with
from tests.faults.replicas import Replica, accept, ended, kill, until_sent
from tests.flow.memory.erasure import files_with
from tests.stack import Stack

LONG = " ".join(f"word{number}" for number in range(60))


@pytest.mark.parametrize(
    ("part", "state"),
    [
        ("orchestrator", ""),
        ("orchestrator", "pending"),
        ("orchestrator", "forgotten"),
        ("indexer", ""),
        ("indexer", "forgotten"),
        ("nats", ""),
        ("postgres", ""),
    ],
)
async def test_a_request_is_carried_out_whatever_dies(
    faulty: Stack, slow: ChatServer, part: str, state: str
) -> None:
    """Killed at once, or as soon as the receipt says so much."""
    slow.word_seconds = 0.0
    word, session_id = f"quill{uuid4().hex}", f"s{uuid4().hex}"
    turns = [await faulty.tell(f"My word is {word}.", session_id=session_id) for _ in range(3)]
    turns.append(await show(faulty, word, session_id))
    assert files_with(faulty, word)

    order = await request_to_forget(faulty, "session", session_id)
    if state:
        await receipt_of(faulty, order, state)
    kill(faulty, part)

    receipt = await receipt_of(faulty, order, "erased")
    assert set(receipt["turns"]) <= {turn["turn_id"] for turn in turns}
    await is_gone(faulty, word)
    assert not await faulty.rows("SELECT 1 FROM pandora.turns WHERE session_id = $1", session_id)
    for turn in turns:
        assert (await faulty.call("GET", f"/v1/turns/{turn['turn_id']}"))[0] == 404
    file_id = turns[-1]["images"][0]["file_id"]
    assert (await faulty.call("GET", f"/v1/files/{file_id}"))[0] == 404


async def show(stack: Stack, word: str, session_id: str) -> dict[str, Any]:
    """A turn with an image that has the word in its metadata and in its name."""
    image = {"type": "input_image", "file_id": await stack.upload(f"{word}.png", png_with(word))}
    parts = [{"type": "input_text", "text": f"What is this {word}?"}, image]
    turn = await ended(stack, await accept(stack, parts, session_id=session_id))
    assert turn["status"] == "saved", turn
    await stack.until_indexed(turn["id"])
    return turn | {"turn_id": turn["id"]}


async def test_events_that_come_late_bring_nothing_back(faulty: Stack, slow: ChatServer) -> None:
    slow.word_seconds = 0.0
    word = f"velvet{uuid4().hex}"
    turn = await faulty.tell(f"My word is {word}.", session_id=f"s{uuid4().hex}")
    async with connected(faulty) as client:
        body = await outcome_of(client, turn["turn_id"])
    order = await request_to_forget(faulty, "turn", turn["turn_id"])
    await receipt_of(faulty, order, "erased")

    statement = Statement(
        text=f"My word is {word}.", turn_id=turn["turn_id"], said_at=datetime.now(UTC), made_by="reflector"
    )
    memory = MemoryExtracted(memory_id=f"late-{uuid4().hex}", user="alice", statement=statement)
    async with connected(faulty, "orchestrator") as client:
        jetstream = client.jetstream()
        for _ in range(3):
            await jetstream.publish("turn.saved", body, headers={"Nats-Msg-Id": uuid4().hex})
            await jetstream.publish(memory.subject, encode(memory), headers={"Nats-Msg-Id": uuid4().hex})
        await until_read(client)

    for table in ("turns", "messages", "memory_statements"):
        query = f"SELECT 1 FROM pandora.{table} WHERE turn_id = $1"
        assert not await faulty.rows(query, turn["turn_id"]), table
    await is_gone(faulty, word)


async def test_a_turn_that_runs_in_a_forgotten_session_is_stopped_and_leaves_nothing(
    faulty: Stack, slow: ChatServer
) -> None:
    word, session_id = f"moth{uuid4().hex}", f"s{uuid4().hex}"
    turn_id = await accept(faulty, f"{word} {LONG}", session_id=session_id)
    waiting = await accept(faulty, f"{word} as well", session_id=session_id)
    await until_sent(lambda: slow.running)

    status, receipt = await faulty.call("DELETE", f"/v1/sessions/{session_id}")
    later = await accept(faulty, "I like plums.", session_id=session_id)

    assert status == 200, receipt
    assert set(receipt["turns"]) == {turn_id, waiting}
    for gone in (turn_id, waiting):
        assert (await faulty.call("GET", f"/v1/turns/{gone}"))[0] == 404
    await receipt_of(faulty, receipt["forget_id"], "erased")
    assert (await ended(faulty, later))["status"] == "saved", "what is said later stays"
    await faulty.until_indexed(later)
    await is_gone(faulty, word)
    rows = await faulty.rows("SELECT turn_id FROM pandora.turns WHERE session_id = $1", session_id)
    assert [row["turn_id"] for row in rows] == [later]


async def test_every_orchestrator_forgets(
    faulty: Stack, slow: ChatServer, second_orchestrator: Replica
) -> None:
    """Both remember the last turns of a session, which they show the model."""
    slow.word_seconds = 0.0
    word, session_id = f"stone{uuid4().hex}", f"s{uuid4().hex}"
    first = await faulty.tell(f"My word is {word}.", session_id=session_id)
    for number in range(2):
        await faulty.ask(f"Question {number}", session_id=session_id)
    assert word in json.dumps(slow.bodies[-1])

    status, receipt = await faulty.call("DELETE", f"/v1/turns/{first['turn_id']}")
    assert status == 200, receipt
    asked_before = len(slow.bodies)
    for number in range(3):
        await faulty.ask(f"Another question {number}", session_id=session_id)

    assert word not in json.dumps(slow.bodies[asked_before:])
    await receipt_of(faulty, receipt["forget_id"], "erased")
    await is_gone(faulty, word)


async def test_to_forget_twice_does_no_harm(faulty: Stack, slow: ChatServer) -> None:
    slow.word_seconds = 0.0
    kept = await faulty.tell("My garden has a walnut tree.", session_id=f"s{uuid4().hex}")
    gone = await faulty.tell("My cellar has a well.", session_id=f"s{uuid4().hex}")
    order = await request_to_forget(faulty, "turn", gone["turn_id"])
    await receipt_of(faulty, order, "erased")

    assert await request_to_forget(faulty, "turn", gone["turn_id"], forget_id=order) == order
    another = await request_to_forget(faulty, "turn", gone["turn_id"])
    receipt = await receipt_of(faulty, another, "erased")

    assert sum(store["removed"] for store in receipt["stores"]) == 0, receipt
    assert (await receipt_of(faulty, order, "erased"))["turns"] == [gone["turn_id"]]
    assert (await faulty.call("GET", f"/v1/turns/{kept['turn_id']}"))[0] == 200


# --- by bare NATS ------------------------------------------------------------------------------------------


@asynccontextmanager
async def connected(stack: Stack, identity: str = OPERATOR) -> AsyncIterator[Client]:
    client = await stack.bus(identity)
    try:
        yield client
    finally:
        await client.close()


async def request_to_forget(
    stack: Stack, scope: ForgetScope, target: str, *, forget_id: str | None = None
) -> str:
    """Its id, once it is stored."""
    order = ForgetRequested(
        forget_id=forget_id or uuid4().hex,
        user="alice",
        scope=scope,
        target=target,
        requested_at=datetime.now(UTC),
    )
    async with connected(stack) as client:
        headers = {"Nats-Msg-Id": uuid4().hex}
        await client.jetstream().publish("forget.requested", encode(order), headers=headers)
    return order.forget_id


async def receipt_of(stack: Stack, forget_id: str, state: str) -> dict[str, Any]:
    """Once it is so far, or further."""
    states = ["pending", "forgotten", "erased"]
    asked = json.dumps({"user": "alice", "forget_id": forget_id}).encode()
    async with asyncio.timeout(120):
        while True:
            try:
                async with connected(stack) as client:
                    while True:
                        answer = json.loads((await client.request("forget.receipt", asked, 5)).data)
                        if answer.get("state") in states[states.index(state) :]:
                            return dict(answer)
                        await asyncio.sleep(0.01)
            except (NatsError, OSError, TimeoutError):  # It is away just now.
                await asyncio.sleep(0.1)


async def outcome_of(client: Client, turn_id: str) -> bytes:
    jetstream = client.jetstream()
    state = (await jetstream.stream_info("OUTCOMES")).state
    for sequence in range(state.last_seq, state.first_seq - 1, -1):
        message = await jetstream.get_msg("OUTCOMES", seq=sequence)
        if message.subject == "turn.saved" and turn_id in (message.data or b"").decode():
            return message.data or b""
    raise AssertionError(f"{turn_id} is not in OUTCOMES")


async def until_read(client: Client) -> None:
    durables = {
        "indexer-turn-saved": "OUTCOMES",
        "orchestrator-turn-saved": "OUTCOMES",
        "indexer-memory-extracted": "MEMORIES",
    }
    async with asyncio.timeout(30):
        for durable, stream in durables.items():
            while True:
                info = await client.jetstream().consumer_info(stream, durable)
                if not info.num_pending and not info.num_ack_pending:
                    break
                await asyncio.sleep(0.1)


# --- in the files ------------------------------------------------------------------------------------------


async def is_gone(stack: Stack, word: str) -> None:
    """NATS compacts its files every ten seconds."""
    for _ in range(40):
        if not (found := files_with(stack, word)):
            return
        await asyncio.sleep(1)
    raise AssertionError((word, found))
