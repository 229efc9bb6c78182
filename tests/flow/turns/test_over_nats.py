"""The same over bare NATS, without the gateway; and what the bus does when things go wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client

from tests.stack import Stack


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    connection = await stack.bus()
    yield connection
    await connection.close()


async def ask(client: Client, text: str, **fields: Any) -> list[dict[str, Any]]:
    """The live events of a turn handed in with nothing but a publish."""
    turn_id = fields.pop("turn_id", f"bare-{uuid4().hex}")
    live = await client.subscribe(f"turn.stream.{turn_id}")
    turn = {"turn_id": turn_id, "session_id": "bare", "user": "alice", "input": text, **fields}
    await client.jetstream().publish("turn.requested", json.dumps(turn).encode())
    events: dict[int, dict[str, Any]] = {}
    while not events or events[max(events)]["type"] not in ("turn.saved", "turn.failed"):
        event = json.loads((await live.next_msg(20)).data)
        events[event["index"]] = event
    await live.unsubscribe()
    return [events[index] for index in sorted(events)]


async def test_a_turn_by_bare_nats_is_answered_and_remembered(stack: Stack, client: Client) -> None:
    name = f"Odile{uuid4().hex[:6]}"
    told = (await ask(client, f"My aunt {name} lives in Bergen."))[-1]
    await stack.until_indexed(told["turn_id"])

    events = await ask(client, f"Where does my aunt {name} live?", session_id="bare-2")

    assert [event["index"] for event in events] == list(range(len(events)))
    assert "Bergen" in events[-1]["output"]
    assert events[-1]["sources"][0]["turn_number"] == told["turn_number"]
    reply = await client.request("index.search", json.dumps({"user": "bob", "query": name}).encode(), 5)
    assert name not in json.dumps(json.loads(reply.data))


async def test_an_unknown_recipe_fails_the_turn_in_the_open(stack: Stack, client: Client) -> None:
    failed = (await ask(client, "Hello.", recipe="cake"))[-1]

    assert (failed["type"], failed["reason"]) == ("turn.failed", "unknown_recipe")
    status, view = await stack.call("GET", f"/v1/turns/{failed['turn_id']}")
    assert (status, view["status"]) == (200, "failed")
    assert "cake" in view["error"]


@pytest.mark.parametrize(
    "body",
    [b"not json", b"{}", b'{"turn_id": "a.b", "session_id": "s", "input": "x"}', b'{"turn_id": "a"}'],
)
async def test_what_is_no_turn_goes_to_the_dead_letters_with_its_reason(client: Client, body: bytes) -> None:
    jetstream = client.jetstream()
    sequence = (await jetstream.publish("turn.requested", body)).seq

    async with asyncio.timeout(10):
        while True:
            try:
                letter = await jetstream.get_last_msg("DEAD", "dead.orchestrator-turn-requested")
                if (letter.headers or {}).get("Nats-Msg-Id") == f"orchestrator-turn-requested:{sequence}":
                    break
            except nats.js.errors.NotFoundError:
                pass
            await asyncio.sleep(0.05)

    assert letter.data == body
    assert "TurnRequested" in (letter.headers or {})["Pandora-Reason"]


async def test_a_redelivered_turn_saved_writes_nothing_twice(stack: Stack, client: Client) -> None:
    saved = await stack.tell(f"The ferry {uuid4().hex[:6]} leaves at nine.")
    jetstream = client.jetstream()
    message = await jetstream.get_last_msg("OUTCOMES", "turn.saved")
    before = await stack.counts()

    # The same event again, without the message id by which JetStream would refuse it.
    orchestrator = await stack.bus("orchestrator")
    again = await orchestrator.jetstream().publish("turn.saved", message.data or b"")
    await orchestrator.close()

    async with asyncio.timeout(20):
        while True:
            consumer = await jetstream.consumer_info("OUTCOMES", "indexer-turn-saved")
            if consumer.ack_floor is not None and (consumer.ack_floor.stream_seq or 0) >= again.seq:
                break
            await asyncio.sleep(0.05)
    assert json.loads(message.data or b"")["turn_id"] == saved["turn_id"]
    assert await stack.counts() == before


async def test_a_redelivered_turn_is_answered_once(stack: Stack, client: Client) -> None:
    events = await ask(client, "The museum is closed on Mondays.")
    turn_id = events[0]["turn_id"]
    turn = {
        "turn_id": turn_id,
        "session_id": "bare",
        "user": "alice",
        "input": "The museum is closed on Mondays.",
    }

    await client.jetstream().publish("turn.requested", json.dumps(turn).encode())
    later = await ask(client, "And on holidays.")

    rows = await stack.rows("SELECT turn_number FROM pandora.turns WHERE turn_id = $1", turn_id)
    assert [row["turn_number"] for row in rows] in ([events[0]["turn_number"]], [])
    assert later[-1]["type"] == "turn.saved"
    folders = [path for path in (stack.data_dir / "turns").glob("*/turn_*") if turn_id in _metadata(path)]
    assert len(folders) == 1


def _metadata(folder: Any) -> str:
    return str((folder / "metadata.json").read_text())
