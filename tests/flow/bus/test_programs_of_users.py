"""Users' own programs on the bus: each reaches its user's turns and memory, and no other's."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client

from deploy.local.nats_users import user_seed
from shared.bus.rights import inbox_of_user
from shared.contract.users import FOLLOW, subject_for
from tests.stack import ROOT, Stack


async def pandora(stack: Stack, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", *arguments,
        cwd=stack.data_dir, env=stack.environment | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@asynccontextmanager
async def connected(stack: Stack, user: str) -> AsyncIterator[Client]:
    seed = user_seed(stack.data_dir / "nats-users", user)
    client = await nats.connect(
        stack.nats_url, nkeys_seed=str(seed), inbox_prefix=inbox_of_user(user), reconnect_time_wait=0.1
    )
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def users(stack: Stack) -> AsyncIterator[tuple[Client, Client]]:
    """alice and bob."""
    for user in ("alice", "bob"):
        await pandora(stack, "nats", "users", "add", user)
    async with connected(stack, "alice") as alice, connected(stack, "bob") as bob:
        yield alice, bob


async def ask(client: Client, sender: str, subject: str, **asked: object) -> tuple[str | None, Any]:
    """(status of a refusal, decoded body)."""
    reply = await client.request(subject_for(sender, subject), json.dumps(asked).encode(), timeout=15)
    return (reply.headers or {}).get("Nats-Service-Error-Code"), json.loads(reply.data)


async def followed(client: Client, user: str, turn_id: str) -> list[dict[str, Any]]:
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    body = json.dumps({"turn_id": turn_id}).encode()
    await client.publish(subject_for(user, FOLLOW), body, reply=inbox)
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in ("turn.saved", "turn.failed", "turn.cancelled"):
        message = await answers.next_msg(30)
        assert "Nats-Service-Error-Code" not in (message.headers or {}), message.headers
        events.append(json.loads(message.data))
    await answers.unsubscribe()
    return events


async def hand_in(client: Client, sender: str, text: str, **more: object) -> str:
    turn_id = str(uuid4())
    turn = {"turn_id": turn_id, "session_id": "notebook", "input": text, **more}
    stored = await client.jetstream().publish(
        subject_for(sender, "turn.requested"), json.dumps(turn).encode(), timeout=15
    )
    assert stored.seq > 0
    return turn_id


async def test_a_turn_of_a_users_program_is_this_users_whatever_it_says(
    stack: Stack, users: tuple[Client, Client]
) -> None:
    alice, bob = users
    word = f"heron{uuid4().hex[:8]}"

    turn_id = await hand_in(alice, "alice", f"My tractor is called {word}.", user="bob")
    events = await followed(alice, "alice", turn_id)
    await stack.until_indexed(turn_id)

    assert [event["index"] for event in events] == list(range(len(events)))
    assert (events[0]["user"], events[-1]["type"]) == ("alice", "turn.saved")
    assert (await ask(alice, "alice", "turns.get", turn_id=turn_id))[1]["turn_id"] == turn_id
    _, mine = await ask(alice, "alice", "index.search", query=word, user="bob")
    assert any(word in hit["text"] for hit in mine["hits"])
    _, others = await ask(bob, "bob", "index.search", query=word, user="alice")
    assert not any(word in hit["text"] for hit in others["hits"])
    status, controlled = await ask(alice, "alice", f"turn.control.{turn_id}", action="cancel")
    assert (status, controlled["found"]) == (None, "saved")


async def test_another_users_turn_is_not_there(stack: Stack, users: tuple[Client, Client]) -> None:
    alice, bob = users
    turn_id = await hand_in(alice, "alice", "My tractor is green.")
    await followed(alice, "alice", turn_id)

    for subject in ("turns.get", "turns.events", "turns.documents", FOLLOW, f"turn.control.{turn_id}"):
        asked = {"turn_id": turn_id, "user": "alice", "action": "cancel"}
        assert (await ask(bob, "bob", subject, **asked))[0] == "404", subject


async def test_what_is_not_for_users_is_refused(users: tuple[Client, Client]) -> None:
    alice, _ = users

    for subject in ("deadletters.list", "index.count", "turns.archive", "orchestrator.control.x", "turns.*x"):
        assert (await ask(alice, "alice", subject))[0] == "404", subject
    reply = await alice.request("user.alice.index.search", b"[1]", timeout=10)
    assert (reply.headers or {})["Nats-Service-Error-Code"] == "400"


async def test_no_answer_goes_where_the_user_may_not_send(stack: Stack, users: tuple[Client, Client]) -> None:
    alice, _ = users
    operator = await stack.bus()
    heard = await operator.subscribe("turn.stream.x1")
    await operator.flush()
    await operator.flush()

    await alice.publish("user.alice.turns.recipes", b"{}", reply="turn.stream.x1")
    assert (await ask(alice, "alice", "turns.recipes"))[1]["names"]
    for _ in range(2):
        await operator.flush()

    assert heard.pending_msgs == 0
    await operator.close()


async def test_credentials_that_are_taken_back_end_their_connection(stack: Stack) -> None:
    gone = asyncio.Event()

    async def note(_: object = None) -> None:
        gone.set()

    await pandora(stack, "nats", "users", "add", "carol")
    seed = user_seed(stack.data_dir / "nats-users", "carol")
    carol = await nats.connect(
        stack.nats_url, nkeys_seed=str(seed), inbox_prefix=inbox_of_user("carol"),
        allow_reconnect=False, closed_cb=note, error_cb=note,
    )  # fmt: skip

    await pandora(stack, "nats", "users", "remove", "carol")

    async with asyncio.timeout(20):
        await gone.wait()
    await carol.close()
