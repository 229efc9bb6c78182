"""A user's turns that have not ended, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from shared.contract.events import ToolEnded, ToolWaiting, encode, live_subject
from tests.contracts.gateway.gateway_room import Client, Orchestrator, gateway_over_http, queued, unended
from tests.servers.nats import bus_to


@pytest.fixture
async def orchestrator(url: str) -> AsyncIterator[Orchestrator]:
    answers = Orchestrator()
    for number, status in ((1, "waiting"), (2, "running"), (3, "queued")):
        answers.unended[f"t{number}"] = unended(
            f"t{number}", turn_number=number, status=status, position=4, estimate_seconds=2.5
        )
    async with bus_to(url, "orchestrator") as other:
        await other.serve("a few lines", endpoints_of(answers))
        yield answers


@pytest.fixture
async def client(bus: Bus, orchestrator: Orchestrator) -> AsyncIterator[Client]:
    async with gateway_over_http(bus) as connected:
        yield connected


def waiting(index: int, call: str) -> ToolWaiting:
    return ToolWaiting(
        index=index, call=call, tool="notes.add", key=f"1.{call}", arguments={"text": "milk"}, seconds=9
    )


async def test_what_waits_or_runs_is_listed_oldest_first(bus: Bus, client: Client) -> None:
    ended = ToolEnded(index=3, call="n", tool="notes.add", seconds=0.1, ok=False)
    for event in (queued("t1"), waiting(1, "n"), waiting(2, "m"), ended):
        await bus.store(live_subject("t1"), encode(event), {})

    status, queue = await client.call("GET", "/v1/queue")

    assert status == 200
    assert [(turn["id"], turn["status"], turn["position"]) for turn in queue["turns"]] == [
        ("t1", "waiting", None), ("t2", "running", None), ("t3", "queued", 4),
    ]  # fmt: skip
    assert {(turn["session_id"], turn["input"]) for turn in queue["turns"]} == {("kitchen", "Hello")}
    assert queue["turns"][0]["calls"] == [
        {"key": "1.m", "tool": "notes.add", "arguments": {"text": "milk"}, "for_client": False}
    ]
    assert [turn["estimate_seconds"] for turn in queue["turns"]] == [None, None, 2.5]
    assert (queue["queued"], queue["running"], queue["waiting"], queue["next_cursor"]) == (1, 1, 1, None)


async def test_a_waiting_turn_is_listed_when_its_events_have_expired(client: Client) -> None:
    _, queue = await client.call("GET", "/v1/queue?status=waiting")

    assert [(turn["id"], turn["calls"]) for turn in queue["turns"]] == [("t1", [])]
    assert queue["queued"] == 1


async def test_the_list_goes_on_where_a_page_ended(client: Client) -> None:
    _, first = await client.call("GET", "/v1/queue?limit=2")
    _, second = await client.call("GET", f"/v1/queue?limit=2&cursor={first['next_cursor']}")

    assert [turn["id"] for page in (first, second) for turn in page["turns"]] == ["t1", "t2", "t3"]
    assert second["next_cursor"] is None


async def test_a_user_does_not_see_the_turns_of_another(client: Client) -> None:
    nothing: dict[str, Any] = {"turns": [], "next_cursor": None, "queued": 0, "running": 0, "waiting": 0}

    assert await client.call("GET", "/v1/queue", user="bob") == (200, nothing)


@pytest.mark.parametrize(
    ("query", "field"),
    [("status=saved", "status"), ("limit=0", "limit"), ("limit=101", "limit"), ("cursor=0", "cursor"),
     ("cursor=1%0A", "cursor")],
)  # fmt: skip
async def test_what_is_wrong_is_named(client: Client, query: str, field: str) -> None:
    status, problem = await client.call("GET", f"/v1/queue?{query}")

    assert (status, problem.get("field")) == (422, field), problem
