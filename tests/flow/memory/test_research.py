"""Pages over the bus of a real stack: stored, found, told as fresh, forgotten with their session."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client

from shared.bus.durables import INDEXER_RESEARCH_SAVED, INDEXER_SOURCE_OBSERVED
from shared.bus.rights import OPERATOR
from shared.contract.events import Event, ResearchSaved, SourceObserved, encode
from tests.stack import Stack
from tests.unit.samples import fetched

NOW = datetime.now(UTC)


@asynccontextmanager
async def connected(stack: Stack, identity: str = OPERATOR) -> AsyncIterator[Client]:
    client = await stack.bus(identity)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with connected(stack) as bus:
        yield bus


@pytest.fixture
async def orchestrator(stack: Stack) -> AsyncIterator[Client]:
    """The only service that may say that a page was fetched."""
    async with connected(stack, "orchestrator") as bus:
        yield bus


async def publish(client: Client, event: Event) -> int:
    """Under a message id of its own, as if it came late; its place in the stream."""
    headers = {"Nats-Msg-Id": uuid4().hex}
    return (await client.jetstream().publish(event.subject, encode(event), headers=headers)).seq


async def until_read(client: Client) -> None:
    jetstream = client.jetstream()
    for durable in (INDEXER_RESEARCH_SAVED, INDEXER_SOURCE_OBSERVED):

        async def is_read(name: str = durable.name) -> bool:
            state = await jetstream.consumer_info("RESEARCH", name)
            return not state.num_pending and not state.num_ack_pending

        await until(is_read)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.1)


async def ask(client: Client, subject: str, **asked: object) -> Any:
    reply = await client.request(subject, json.dumps(asked).encode(), timeout=15)
    assert "Nats-Service-Error-Code" not in (reply.headers or {}), reply.headers
    return json.loads(reply.data)


def page(session_id: str, word: str) -> ResearchSaved:
    return fetched(
        1,
        f"The {word} is a beetle that lives in hives.",
        research_id=uuid4().hex,
        url=f"https://beetles.example.org/{word}",
        domain="beetles.example.org",
        fetched_at=NOW,
        expires_at=NOW + timedelta(days=1),
        requested_at=NOW,
        turn_id=uuid4().hex,
        session_id=session_id,
    )


async def found(stack: Stack, word: str) -> list[dict[str, Any]]:
    body = {"query": f"What is the {word}?", "kinds": ["research"]}
    status, answer = await stack.call("POST", "/v1/search", body)
    assert status == 200, answer
    return [hit for hit in answer["hits"] if word in hit["text"]]


async def test_a_page_is_found_until_its_session_is_forgotten(
    stack: Stack, client: Client, orchestrator: Client
) -> None:
    word, session_id = f"beetle{uuid4().hex[:8]}", f"s{uuid4().hex}"
    saved = page(session_id, word)
    observed = SourceObserved(
        observation_id=uuid4().hex, user="alice", domain=f"{word}.example.org", ok=True, at=NOW
    )
    for event in (saved, observed, saved, observed):
        await publish(orchestrator, event)
    await until_read(client)

    (hit,) = await found(stack, word)
    assert (hit["kind"], hit["id"], hit["url"]) == ("research", saved.research_id, saved.url)
    (fresh,) = (await ask(client, "index.research.fresh", user="alice", url=saved.url))["pages"]
    assert fresh["text"] == saved.text
    assert (await ask(client, "index.research.fresh", user="bob", url=saved.url))["pages"] == []
    status, whole = await stack.call("GET", f"/v1/research/{saved.research_id}")
    assert (status, whole["text"], whole["characters"]) == (200, saved.text, len(saved.text))
    status, listed = await stack.call("GET", "/v1/research")
    assert (status, saved.research_id in {one["research_id"] for one in listed["pages"]}) == (200, True)
    (source,) = (await ask(client, "index.sources", domains=[observed.domain]))["sources"]
    assert (source["success_count"], source["failure_count"]) == (1, 0)
    status, told = await stack.call("GET", f"/v1/sources?domain={observed.domain}", user="bob")
    assert (status, told["sources"]) == (200, [source])

    status, receipt = await stack.call("DELETE", f"/v1/sessions/{session_id}")
    assert status in (200, 202), receipt
    assert {"store": "research", "removed": 1}.items() <= next(
        one for one in receipt["stores"] if one["store"] == "research"
    ).items()
    assert await found(stack, word) == []
    assert (await stack.call("GET", f"/v1/research/{saved.research_id}"))[0] == 404

    late = [await publish(orchestrator, event) for event in (saved, saved)]
    await until_read(client)
    assert await found(stack, word) == []
    assert not await stack.rows(
        "SELECT FROM pandora.research WHERE user_id = 'alice' AND url = $1", saved.url
    )
    for sequence in late:
        with pytest.raises(nats.js.errors.NotFoundError):
            await client.jetstream().get_msg("RESEARCH", sequence)


async def test_what_a_turn_took_is_told_by_day(stack: Stack, client: Client) -> None:
    async def count() -> int:
        rows = (await ask(client, "index.observability", days=2, name="turn_seconds"))["rows"]
        return sum(row["count"] for row in rows)

    before = await count()
    await stack.tell("My sister Mira keeps bees.")

    async def is_counted() -> bool:  # A turn is found before it is counted.
        return await count() == before + 1

    await until(is_counted)
    rows = (await ask(client, "index.observability", days=2))["rows"]
    assert await stack.call("GET", "/v1/observability?days=2") == (200, {"rows": rows})
    assert (await stack.call("GET", "/v1/observability", user="bob"))[0] == 403
    assert {row["name"] for row in rows} >= {"turn_seconds", "quality", "input_tokens", "output_tokens"}


async def test_what_can_never_be_stored_is_a_dead_letter(
    stack: Stack, client: Client, orchestrator: Client
) -> None:
    wrong = page(f"s{uuid4().hex}", "nobody")
    body = encode(wrong).replace(b'"https://', b'"ftp://')
    headers = {"Nats-Msg-Id": uuid4().hex}
    sequence = (await orchestrator.jetstream().publish(wrong.subject, body, headers=headers)).seq
    await until_read(client)

    letters = (await ask(client, "deadletters.list", limit=100))["letters"]
    (letter,) = [one for one in letters if one["durable"] == "indexer-research-saved"]
    assert "`$.url`" in letter["reason"]
    assert sequence > 0
    await ask(client, "deadletters.drop", sequence=letter["sequence"])
