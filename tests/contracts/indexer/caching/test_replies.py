"""Replies of the indexer that are kept in Redis: never another user's, never from before a change."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from services.indexer.caching.kinds import CHANGES, KEPT
from services.indexer.caching.redis import RedisReplies
from services.indexer.caching.replies import Caching
from shared.bus.endpoints import Endpoint, endpoint, endpoints_of
from shared.contract.events import ForgetRequested
from shared.contract.requests import (
    DeleteMemories,
    ForgetRows,
    FreshResearch,
    FreshResearchReply,
    Hit,
    MemoriesDeleted,
    Page,
    RowsForgotten,
    Search,
    SearchReply,
)
from shared.redis.server import Away, RedisServer
from tests.servers.redis import EmbeddedServer, embedded_redis

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECRET = "the heron nests behind the mill"


class Store:
    """Answers from a list of texts a user, and counts how often it was asked."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @endpoint
    async def search(self, request: Search) -> SearchReply:
        self.asked += 1
        self.was_asked.set()
        hits = [_hit(text) for text in self.texts.get(request.user, [])]
        await self.may_answer.wait()
        return SearchReply(hits=hits)

    @endpoint
    async def fresh(self, request: FreshResearch) -> FreshResearchReply:
        self.asked += 1
        return FreshResearchReply(pages=[_page(NOW + timedelta(seconds=30))])

    @endpoint
    async def forget(self, request: ForgetRows) -> RowsForgotten:
        self.texts.pop(request.order.user, None)
        return RowsForgotten(stores=[], memory_ids=[])

    @endpoint
    async def delete(self, request: DeleteMemories) -> MemoriesDeleted:
        self.texts.pop(request.user, None)
        raise ValueError("it broke off after its work was done")


class Room:
    """One indexer over a store and the cache."""

    def __init__(self, store: Store, server: RedisServer) -> None:
        self.time = NOW.timestamp()
        self.caching = Caching(RedisReplies(server), clock=lambda: self.time)
        self._answers = {one.request: one for one in self.caching.over(endpoints_of(store))}

    async def ask(self, request: Any) -> Any:
        one: Endpoint = self._answers[type(request)]
        return await one.answer(request)

    async def texts(self, user: str = "alice", query: str = "where") -> list[str]:
        reply: SearchReply = await self.ask(Search(user=user, query=query))
        return [hit.text for hit in reply.hits]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with embedded_redis(tmp_path, "redis-cache") as started:
        yield started


@pytest.fixture
def wait_seconds(request: pytest.FixtureRequest) -> float:
    """Long, so that a busy machine does not look like a server that is away."""
    return float(getattr(request, "param", 20.0))


@pytest.fixture
async def server(redis: EmbeddedServer, wait_seconds: float) -> AsyncIterator[RedisServer]:
    async with RedisServer.connected(redis.url, wait_seconds=wait_seconds) as connected:
        yield connected


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def room(store: Store, server: RedisServer) -> Room:
    return Room(store, server)


async def test_the_same_question_of_the_same_user_is_answered_once(store: Store, room: Room) -> None:
    store.texts = {"alice": ["a boat"], "bob": ["a bike"]}

    assert [await room.texts() for _ in range(3)] == [["a boat"]] * 3
    assert store.asked == 1
    assert await room.texts("bob") == ["a bike"]
    assert await room.texts(query="when") == ["a boat"]
    assert store.asked == 3


async def test_a_change_drops_the_replies_of_its_user_alone(store: Store, room: Room) -> None:
    store.texts = {"alice": ["a boat"], "bob": ["a bike"]}
    await room.texts()
    await room.texts("bob")

    store.texts["alice"].append("a barge")
    await room.caching.drop(["alice"])

    assert await room.texts() == ["a boat", "a barge"]
    await room.texts("bob")
    assert store.asked == 3


async def test_a_reply_from_before_a_change_is_not_kept_after_it(store: Store, room: Room) -> None:
    store.texts = {"alice": ["a boat"]}
    store.may_answer.clear()
    early = asyncio.create_task(room.texts())
    await store.was_asked.wait()
    store.texts["alice"] = ["a barge"]
    await room.caching.drop(["alice"])
    store.may_answer.set()

    assert await early == ["a boat"]  # It was asked before the change.
    assert await room.texts() == ["a barge"]


async def test_another_indexer_sees_the_change_at_once(store: Store, server: RedisServer) -> None:
    one, other = Room(store, server), Room(store, server)
    store.texts = {"alice": ["a boat"]}
    assert await one.texts() == ["a boat"]

    await other.ask(_forget("alice"))

    assert await one.texts() == []


async def test_what_was_forgotten_leaves_no_bytes(store: Store, room: Room, server: RedisServer) -> None:
    store.texts = {"alice": [SECRET], "bob": [SECRET]}
    await room.texts()
    await room.texts("bob")
    assert SECRET.encode() in await everything(server)

    await room.ask(_forget("alice"))
    await room.ask(_forget("bob"))

    assert SECRET.encode() not in await everything(server)


async def test_a_change_that_broke_off_drops_too(store: Store, room: Room) -> None:
    store.texts = {"alice": ["a boat"]}
    await room.texts()

    with pytest.raises(ValueError, match="broke off"):
        await room.ask(DeleteMemories(user="alice", memory_ids=["m1"]))

    assert await room.texts() == []


async def test_a_page_is_not_kept_longer_than_it_holds(store: Store, room: Room) -> None:
    for _ in range(2):
        await room.ask(FreshResearch(user="alice", query="herons"))
    assert store.asked == 1
    room.time += 31
    await room.ask(FreshResearch(user="alice", query="herons"))
    assert store.asked == 2


async def test_what_another_version_kept_in_another_form_is_computed_anew(
    store: Store, room: Room, server: RedisServer
) -> None:
    store.texts = {"alice": ["a boat"]}
    await room.texts()
    kept: dict[bytes, bytes] = await cast(Any, server.client.hgetall("replies:alice"))
    for key in kept.keys() - {b"mark"}:
        former = '[9999999999, {"hits": [{"kind": "turn"}]}]'
        await cast(Any, server.client.hset("replies:alice", key.decode(), former))

    assert await room.texts() == ["a boat"]
    assert store.asked == 2


@pytest.mark.parametrize("wait_seconds", [0.25], indirect=True)
async def test_without_redis_everything_is_answered_and_nothing_outdated_comes_back(
    store: Store, room: Room, redis: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.redis.server._REST_SECONDS", 0.0)
    store.texts = {"alice": ["a boat"]}
    assert await room.texts() == ["a boat"]

    with redis.frozen():
        store.texts["alice"] = ["a barge"]
        await room.caching.drop(["alice"])
        assert await room.texts() == ["a barge"]
    # It answers again, with what it kept before the change, which could not be dropped.
    assert await room.texts() == ["a barge"]

    await redis.stop(signal.SIGKILL)
    assert await room.texts() == ["a barge"]
    await redis.start()
    assert await room.texts() == ["a barge"]


@pytest.mark.parametrize("wait_seconds", [0.25], indirect=True)
async def test_a_server_that_does_not_answer_is_left_alone_for_a_while(
    server: RedisServer, redis: EmbeddedServer
) -> None:
    await server.check()
    with redis.frozen():
        with pytest.raises(Away):
            await server.check()
        calls = 0

        async def count() -> None:
            nonlocal calls
            calls += 1

        with pytest.raises(Away):
            await server.ask(count)
    assert calls == 0


def test_what_is_kept_changes_nothing() -> None:
    assert not CHANGES & KEPT.keys()


async def everything(server: RedisServer) -> bytes:
    """All that the server holds."""
    found = b""
    async for key in server.client.scan_iter():
        values: dict[bytes, bytes] = await cast(Any, server.client.hgetall(key))
        found += key + b" ".join(part for pair in values.items() for part in pair)
    return found


def _forget(user: str) -> ForgetRows:
    return ForgetRows(
        order=ForgetRequested(forget_id="f1", user=user, scope="user", target=user, requested_at=NOW)
    )


def _hit(text: str) -> Hit:
    return Hit(kind="turn", id="t1", score=1.0, text=text, session_id="s1", at=NOW)


def _page(expires_at: datetime) -> Page:
    return Page(
        research_id="r1",
        url="https://example.org/herons",
        domain="example.org",
        title="Herons",
        text="Herons nest in trees.",
        primary_topic="herons",
        quality_overall=0.5,
        confidence_current=0.5,
        fetched_at=NOW,
        expires_at=expires_at,
    )
