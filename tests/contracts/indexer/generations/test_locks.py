"""The contract of Locks, and two indexers that write the same points over one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy
import pytest

from services.indexer.generations.locks import Locks, ProcessLocks
from services.indexer.generations.postgres import PostgresLocks
from services.indexer.generations.writing import Generation
from services.indexer.memories.memory import point_of
from services.indexer.memories.postgres.memories import PostgresMemoryTable
from services.indexer.memories.steps import Memories
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.passage import Vectors, near_vectors
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.edge import EdgePassageIndex
from shared.contract.memories import Statement
from shared.contract.requests import ListMemories, SaveMemory
from tests.contracts.indexer.messages.message_room import DIMENSION, KnownWords, said, vector_of

TEXTS = ["bees", "roses", "tax", "lisbon", "honey", "mira", "sun", "bees roses"]
Indexer = tuple[Database, Generation, PostgresLocks]


@pytest.fixture(params=["in one process", "over one PostgreSQL"])
async def two(request: pytest.FixtureRequest, database: str) -> AsyncIterator[tuple[Locks, Locks]]:
    """Those of two writers."""
    if request.param == "in one process":
        locks = ProcessLocks()
        yield locks, locks
        return
    async with (
        Database.connect(database, connections=2, timeout=30) as one,
        Database.connect(database, connections=2, timeout=30) as other,
    ):
        yield PostgresLocks(one), PostgresLocks(other)


async def test_a_name_has_one_holder_at_a_time(two: tuple[Locks, Locks]) -> None:
    holders = most = 0

    async def hold(locks: Locks, *names: str) -> None:
        nonlocal holders, most
        async with locks.hold(names):
            holders += 1
            most = max(most, holders)
            await asyncio.sleep(0.002)
            holders -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            own = ["shared", f"own-{number}"]
            group.create_task(hold(two[number % 2], *(own if number % 3 else own[::-1])))

    assert most == 1


async def test_different_names_do_not_wait_for_each_other(two: tuple[Locks, Locks]) -> None:
    async with asyncio.timeout(10), two[0].hold(["alice"]), two[1].hold(["bob"]):
        pass


async def test_a_holder_that_fails_frees_its_names(two: tuple[Locks, Locks]) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        async with two[0].hold(["alice"]):
            raise ValueError("on purpose")

    async with asyncio.timeout(10), two[1].hold(["alice"]):
        pass


class Slow(KnownWords):
    """Some texts take much longer than others: writers without a lock overtake each other."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if texts:
            await asyncio.sleep(0.01 + 0.05 * (len(texts[0]) % 5) / len(texts))
        return await super().embed(texts)


@pytest.fixture
async def indexers(database: str, tmp_path: Path) -> AsyncIterator[list[Indexer]]:
    """Two over one PostgreSQL and one index, each with pools of its own."""
    await migrate(database)
    async with (
        AsyncExitStack() as stack,
        EdgePassageIndex.open(tmp_path / "turn", DIMENSION, "turn") as turns,
        EdgePassageIndex.open(tmp_path / "memory", DIMENSION, "memory") as memories,
    ):
        made: list[Indexer] = []
        for _ in range(2):
            pools = [
                await stack.enter_async_context(Database.connect(database, connections=4, timeout=30))
                for _ in range(2)
            ]
            generation = Generation("v1", Slow(), {"turn": turns, "memory": memories})
            made.append((pools[0], generation, PostgresLocks(pools[1])))
        yield made


async def near_in(index: EdgePassageIndex, ids: Sequence[object]) -> dict[str, list[float]]:
    points = await index._shard.call(
        lambda shard: shard.retrieve(list(ids), with_payload=False, with_vector=["near"])  # type: ignore[arg-type]
    )
    return {str(point.id): point.vector["near"] for point in points}  # type: ignore[index, misc, call-overload]


async def test_two_indexers_write_one_session_as_one_would(indexers: list[Indexer]) -> None:
    writers = [MessageWriter(PostgresMessageTable(pool), made, locks) for pool, made, locks in indexers]

    async with asyncio.TaskGroup() as group:
        for number, text in enumerate(TEXTS):
            group.create_task(writers[number % 2].add([said(number, text)]))

    pool, generation, _ = indexers[0]
    ids = [said(number, text).point_id for number, text in enumerate(TEXTS)]
    stored = (await PostgresMessageTable(pool).get("alice", ids)).values()
    in_order = sorted(stored, key=lambda message: message.ordinal)
    expected = near_vectors(numpy.stack([vector_of(message.text) for message in in_order]))
    index = generation.indexes["turn"]
    assert isinstance(index, EdgePassageIndex)
    near = await near_in(index, ids)
    for message, vector in zip(in_order, expected, strict=True):
        assert near[str(message.point_id)] == pytest.approx(vector.tolist(), abs=1e-5)


async def test_two_indexers_leave_points_of_those_memories_that_are_valid(indexers: list[Indexer]) -> None:
    both = [Memories(PostgresMemoryTable(pool), made, locks) for pool, made, locks in indexers]

    async with asyncio.TaskGroup() as group:
        for number, city in enumerate(["Lisbon", "Porto", "Faro", "Braga", "Evora", "Sintra"]):
            at = datetime(2026, 1, 1 + number, tzinfo=UTC)
            statement = Statement(
                text=f"I live in {city}", kind="fact", attribute="lives in", value=city, said_at=at
            )
            save = SaveMemory(user="alice", memory_id=f"m{number}", statement=statement)
            group.create_task(both[number % 2].save(save))

    valid = (await both[0].list_memories(ListMemories(user="alice"))).memories
    found, _ = await indexers[0][1].indexes["memory"].messages(None, 100)
    assert [one.value for one in valid] == ["Sintra"]
    assert found == [point_of("alice", one.memory_id) for one in valid]
