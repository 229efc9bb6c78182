"""Generations over a real PostgreSQL and a real Qdrant Edge: built beside the live one, switched, mended.

Only the models are others: each knows the words below, in an order of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import numpy
import pytest

from services.indexer import filling
from services.indexer.adapters.collections import EdgeCollections
from services.indexer.adapters.migrations import FOLDER, migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_generations import PostgresGenerations
from services.indexer.adapters.postgres_memories import PostgresMemoryTable
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_rows import (
    PostgresMemoryRows,
    PostgresMessageRows,
    PostgresUnsaidTurns,
)
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.filling import Rows
from services.indexer.generation import Generations
from services.indexer.generations import Opened
from services.indexer.hits import MessageHits
from services.indexer.memories import Memories
from services.indexer.mending import Mending
from services.indexer.ports import IndexQuery, Selection, Vectors
from services.indexer.reindexing import Pace, Reindexer, Wanted, open_live
from services.indexer.remembering import Remembering
from services.indexer.searching import Searching
from shared.errors import Refused, SettingsError
from shared.memories import Statement
from shared.replies import (
    Check,
    CheckReply,
    DeleteMemories,
    Kind,
    Reindex,
    SaveMemory,
    Search,
)
from tests.unit.samples import AT, message

WORDS = ("bees", "roses", "tax", "lisbon", "honey", "mira", "sun")
KINDS: list[Kind] = ["turn", "memory", "research"]
TEXTS = [f"{WORDS[n % 7]} and {WORDS[n * n % 5]} number {n}" for n in range(60)]
SESSIONS = 4


@dataclass
class Model:
    """Embedder that stops before it has computed more texts than it may."""

    dimension: int
    computed: list[str] = field(default_factory=list)
    may_compute: int = 1_000_000
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        while len(self.computed) + len(texts) > self.may_compute:
            self.stopped.set()
            await asyncio.sleep(0.005)
        self.computed += texts
        shape = (0, self.dimension)
        return numpy.stack([self._vector(text) for text in texts]) if texts else numpy.zeros(shape, "f4")

    async def embed_query(self, text: str) -> Vectors:
        return self._vector(text)

    def forget_queries(self) -> None:
        """It keeps none."""

    def _vector(self, text: str) -> Vectors:
        counts = [text.lower().count(word) for word in WORDS]
        vector = numpy.zeros(self.dimension, numpy.float32)
        vector[: len(WORDS)] = counts if self.dimension % 2 == 0 else counts[::-1]
        vector[-1] = 0 if any(counts) else 1
        unit: Vectors = vector / numpy.linalg.norm(vector)
        return unit


class Installation:
    """What outlives the process: a database, a folder, and the models of this world."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.models = {"old": Model(8), "new": Model(9)}

    @asynccontextmanager
    async def _model(self, name: str) -> AsyncIterator[Model]:
        if name not in self.models:
            raise SettingsError(f"no such model {name}")
        yield self.models[name]

    @asynccontextmanager
    async def started(self, model: str = "old", *, runs: bool = True) -> AsyncIterator["Process"]:
        """`runs`: with what it does in the background."""
        await migrate(self.dsn)
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.connect(self.dsn, connections=4, timeout=30))
            opened = await stack.enter_async_context(
                Opened.nothing(EdgeCollections(self.folder), self._model)
            )
            process = await Process.of(database, opened, model)
            tasks = []
            if runs:
                tasks = [
                    asyncio.create_task(process.reindexer.run()),
                    asyncio.create_task(process.mending.run(3600)),
                ]
            try:
                yield process
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def collections(self) -> set[str]:
        found = self.folder.glob("*/*")
        return {f"{path.parent.name}/{path.name}" for path in found if path.is_dir()}


@dataclass
class Process:
    """The indexer without its bus."""

    database: Database
    generations: Generations
    remembering: Remembering
    memories: Memories
    searching: Searching
    reindexer: Reindexer
    mending: Mending

    @classmethod
    async def of(cls, database: Database, opened: Opened, model: str) -> "Process":
        table = PostgresGenerations(database)
        wanted = Wanted(model=model, name=f"{model}-v1", kinds=KINDS)
        row, generations = await open_live(table, opened, wanted)
        turns, messages = PostgresTurnTable(database), PostgresMessageTable(database)
        remembering = Remembering(messages, generations)
        memories = Memories(PostgresMemoryTable(database), generations)
        rows: dict[Kind, Rows] = {
            "turn": PostgresMessageRows(database, remembering.held),
            "memory": PostgresMemoryRows(database, memories.held),
        }
        pace = Pace(look_seconds=0.02, grace_seconds=0.1)
        return cls(
            database,
            generations,
            remembering,
            memories,
            Searching(messages, {"turn": MessageHits(messages, turns), "memory": memories}, generations),
            Reindexer(table, opened, generations, row, rows, wanted, pace),
            Mending(PostgresUnsaidTurns(database), rows, remembering, generations, opened.remove_first),
        )

    async def found(self, query: str, user: str = "alice", **more: Any) -> list[str]:
        hits = (await self.searching.search(Search(user=user, query=query, limit=100, **more))).hits
        return [hit.text for hit in hits]

    async def scores(self, words: str) -> dict[str, tuple[float, float]]:
        """What the live index says of every message of alice: alone, and with what stands beside it."""
        live = self.generations.live
        vector = await live.embedder.embed_query(words)
        query = IndexQuery(user="alice", vector=vector, words=words, limit=1_000)
        return {
            one.key: (round(one.meaning or 0.0, 3), round(one.meaning_near or 0.0, 3))
            for one in await live.indexes["turn"].search(query)
        }

    async def checked(self, *, mend: bool = False) -> CheckReply:
        async def send(message: msgspec.Struct) -> None:
            return None

        while True:
            with contextlib.suppress(Refused):
                return await self.mending.check(Check(mend=mend), send)
            await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_switched(self, name: str) -> None:
        await self.until(lambda: self.generations.live.name == name)
        assert self.generations.building is None


@pytest.fixture
def installation(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(filling, "PAGE_ROWS", 8)
    return Installation(database, tmp_path / "qdrant")


async def tell(process: Process, texts: Sequence[str] = TEXTS) -> None:
    await process.remembering.add(
        [
            message(n, text, session_id=f"session {n % SESSIONS}", at=AT + timedelta(minutes=n))
            for n, text in enumerate(texts)
        ]
    )


def is_right(checked: CheckReply) -> bool:
    return checked.turns_without_messages == 0 and all(
        kind.rows_without_points == 0 == kind.points_without_rows for kind in checked.kinds
    )


# --- a change of model -------------------------------------------------------------------------------------


async def test_the_first_generation_is_live_at_once(installation: Installation) -> None:
    async with installation.started() as process:
        assert process.generations.live.name == "old-v1-1"
        await tell(process)

        assert TEXTS[0] in await process.found("bees number 0")
        assert installation.collections() == {
            f"old-v1-1/{name}" for name in ("turns", "memories", "research")
        }
        assert (await process.reindexer.status()).running is False


async def test_another_model_is_built_beside_the_live_one_and_then_answers(
    installation: Installation,
) -> None:
    async with installation.started("old") as process:
        await tell(process)
        await process.memories.save(
            SaveMemory(user="alice", statement=Statement(text="Mira lives in Lisbon", kind="fact"))
        )

    new = installation.models["new"]
    new.may_compute = 20
    async with installation.started("new") as process:
        await new.stopped.wait()
        assert process.generations.live.name == "old-v1-1", "the one that is complete answers"
        assert len(await process.found("bees roses tax lisbon honey mira sun")) > 20
        status = await process.reindexer.status()
        assert (status.running, status.building, status.building_model) == (True, "new-v1-2", "new")
        assert 0 < status.done < status.total == len(TEXTS) + 1

        new.may_compute = 1_000_000
        await process.until_switched("new-v1-2")

        assert is_right(await process.checked())
        assert TEXTS[0] in await process.found("bees number 0")
        assert "Mira lives in Lisbon" in await process.found("Mira Lisbon", kinds=["memory"])
        await process.until(lambda: not any("old-v1-1" in name for name in installation.collections()))

    async with installation.started("new") as process:
        assert process.generations.live.name == "new-v1-2"
        assert TEXTS[0] in await process.found("bees number 0")


async def test_what_is_said_and_forgotten_meanwhile_is_so_in_both(installation: Installation) -> None:
    async with installation.started("old") as process:
        await tell(process)

    new = installation.models["new"]
    new.may_compute = 20
    async with installation.started("new") as process:
        await new.stopped.wait()
        new.may_compute = 1_000_000
        texts = [f"honey later {n}" for n in range(30)]
        later = asyncio.create_task(
            process.remembering.add(
                [message(100 + n, text, session_id=f"session {n % 6}") for n, text in enumerate(texts)]
            )
        )
        gone = message(3, TEXTS[3], session_id="session 3").point_id
        await process.database.fetch("DELETE FROM pandora.messages WHERE point_id = $1", gone)
        await process.generations.indexes["turn"].remove(Selection(user="alice", messages=[gone]))
        changed = message(4, "roses now", session_id="session 0", at=AT)
        await process.remembering.add([changed])
        await later
        await process.until_switched("new-v1-2")

        assert is_right(await process.checked())
        found = await process.found("honey later")
        assert set(texts) <= set(found)
        assert TEXTS[3] not in await process.found(TEXTS[3])
        assert "roses now" in await process.found("roses now")
        assert TEXTS[4] not in await process.found(TEXTS[4])


@pytest.mark.parametrize("texts", [8, 20, 40, 59])
async def test_a_build_that_was_killed_goes_on_where_it_was(installation: Installation, texts: int) -> None:
    async with installation.started("old") as process:
        await tell(process)
    new = installation.models["new"]
    new.may_compute = texts
    async with installation.started("new"):
        await new.stopped.wait()

    new.may_compute = 1_000_000
    async with installation.started("new") as process:
        await process.until_switched("new-v1-2")

        assert is_right(await process.checked())
        assert len(new.computed) <= len(TEXTS) + 4 * filling.PAGE_ROWS, "pages that were written are kept"
        assert set(TEXTS) <= set(await process.found("bees roses tax lisbon honey mira sun number"))


async def test_a_build_that_was_killed_before_it_had_begun_or_after_its_end(
    installation: Installation,
) -> None:
    async with installation.started("old") as process:
        await tell(process)

    async with installation.started("new", runs=False) as process:
        assert (await process.reindexer.status()).building == "new-v1-2"
    async with installation.started("new", runs=False) as process:
        table = PostgresGenerations(process.database)
        assert await table.switch(2), "as if it had died right behind the switch"
        assert not await table.switch(2)
    async with installation.started("new") as process:
        await process.until(lambda: not any("old-v1-1" in name for name in installation.collections()))
        assert process.generations.live.name == "new-v1-2"
        await process.mending.check(Check(mend=True), lambda _: asyncio.sleep(0))
        assert is_right(await process.checked())


async def test_a_model_that_is_taken_back_is_not_built(installation: Installation) -> None:
    async with installation.started("old") as process:
        await tell(process)
    installation.models["new"].may_compute = 20
    async with installation.started("new"):
        await installation.models["new"].stopped.wait()

    async with installation.started("old") as process:
        await process.until(lambda: not any("new" in name for name in installation.collections()))
        assert not (await process.reindexer.status()).running
        assert TEXTS[0] in await process.found("bees number 0")


async def test_a_live_model_that_is_lost_is_replaced_from_the_rows(installation: Installation) -> None:
    async with installation.started("old") as process:
        await tell(process)
    del installation.models["old"]

    async with installation.started("new") as process:
        await process.until(lambda: len(installation.models["new"].computed) >= len(TEXTS))
        assert is_right(await process.checked())
        assert TEXTS[0] in await process.found("bees number 0")


async def test_a_model_that_does_not_exist_is_refused_at_the_start(installation: Installation) -> None:
    with pytest.raises(SettingsError, match="no such model"):
        async with installation.started("nonsense"):
            pass


# --- the same model once more ------------------------------------------------------------------------------


async def test_the_vectors_are_the_same_after_a_reindex(installation: Installation) -> None:
    async with installation.started() as process:
        await tell(process)
        await tell(process, [*TEXTS[:30], "roses changed", *TEXTS[31:]])
        before = await process.scores("bees mira honey")

        reply = await process.reindexer.reindex(Reindex())
        assert (reply.running, reply.building, reply.kinds) == (True, "old-v1-2", KINDS)
        await process.until_switched("old-v1-2")

        assert await process.scores("bees mira honey") == before
        assert is_right(await process.checked())


async def test_one_kind_alone_keeps_the_collections_of_the_others(installation: Installation) -> None:
    async with installation.started() as process:
        await tell(process)
        saved = await process.memories.save(
            SaveMemory(user="alice", statement=Statement(text="Mira lives in Lisbon", kind="fact"))
        )
        computed = len(installation.models["old"].computed)

        await process.reindexer.reindex(Reindex(kinds=["memory"]))
        await process.until_switched("old-v1-2")
        await process.until(lambda: "old-v1-1/memories" not in installation.collections())

        assert installation.collections() == {"old-v1-1/turns", "old-v1-2/memories", "old-v1-1/research"}
        assert len(installation.models["old"].computed) == computed + 1
        assert TEXTS[0] in await process.found("bees number 0")
        assert await process.found("Mira Lisbon", kinds=["memory"]) == ["Mira lives in Lisbon"]
        await process.memories.delete(DeleteMemories(user="alice", memory_ids=[saved.memory_id]))
        assert await process.found("Mira Lisbon", kinds=["memory"]) == []


async def test_a_reindex_is_asked_for_once(installation: Installation) -> None:
    async with installation.started(runs=False) as process:
        first = await process.reindexer.reindex(Reindex(kinds=["turn"]))
        assert (await process.reindexer.reindex(Reindex(kinds=["turn"]))).building == first.building
        with pytest.raises(Refused, match="turn are being built already"):
            await process.reindexer.reindex(Reindex(kinds=["memory"]))
        with pytest.raises(Refused, match="no collection of content"):
            await process.reindexer.reindex(Reindex(kinds=["content"]))


async def test_two_indexers_build_one_generation(installation: Installation) -> None:
    """Over a Qdrant server; here the second one only keeps the list."""
    async with installation.started() as process:
        table = PostgresGenerations(process.database)
        async with table.alone() as one, table.alone() as other:
            assert (one, other) == (True, False)
        async with table.alone() as again:
            assert again


# --- mending -----------------------------------------------------------------------------------------------


async def test_turns_of_before_there_were_messages_are_found(
    installation: Installation, tmp_path: Path
) -> None:
    """An upgrade from version 0.1: rows of turns, and points of turns that nothing reads any more."""
    former = tmp_path / "migrations"
    former.mkdir()
    for path in sorted(FOLDER.glob("*.sql"))[:2]:
        (former / path.name).write_text(path.read_text())
    assert await migrate(installation.dsn, former) == ["0001_turns", "0002_cancelled_turns"]
    connection = await asyncpg.connect(installation.dsn)
    await connection.executemany(
        "INSERT INTO pandora.turns (turn_number, turn_id, user_id, session_id, timestamp, topic, intent,"
        " keywords, quality, turn_dir, embedding_id, recipe, model, input, output, quoted, status)"
        " VALUES ($1, $2, 'alice', 'kitchen', $3, 'bees', 'statement', '[]', 0.5, 'turn', gen_random_uuid(),"
        " 'direct', 'm', $4, $5, $6, $7)",
        [
            (n, f"t{n}", datetime.now(UTC), text, output, n % 5 == 0, "cancelled" if n == 7 else "saved")
            for n, text, output in [(n, TEXTS[n], f"noted {n}" if n % 3 else "") for n in range(1, 40)]
        ],
    )
    await connection.close()
    (installation.folder / "turns" / "segments").mkdir(parents=True)

    async with installation.started() as process:
        await process.until(lambda: not (installation.folder / "turns").exists())

        assert is_right(await process.checked())
        found = await process.found("bees roses tax lisbon honey mira sun number")
        assert len(found) == 38, "all but the cancelled one"
        order = await process.database.fetch(
            "SELECT message_id FROM pandora.messages ORDER BY ordinal LIMIT 4"
        )
        assert [record[0] for record in order] == ["t1:user", "t1:assistant", "t2:user", "t2:assistant"]


async def test_messages_that_were_stored_and_not_indexed_are_found_after_a_start(
    installation: Installation,
) -> None:
    async with installation.started() as process:
        await process.remembering.add_rows([message(n, text) for n, text in enumerate(TEXTS)])
        checked = await process.checked()
        assert [kind.rows_without_points for kind in checked.kinds] == [len(TEXTS), 0]

    async with installation.started() as process:
        await process.until(lambda: len(installation.models["old"].computed) >= len(TEXTS))
        assert is_right(await process.checked())
        assert TEXTS[0] in await process.found("bees number 0")


async def test_points_that_were_lost_are_made_again_at_a_start(installation: Installation) -> None:
    async with installation.started() as process:
        await tell(process)
        await process.generations.indexes["turn"].remove(Selection(user="alice"))
        assert await process.found("bees") == []

    async with installation.started() as process:
        await process.until(lambda: len(installation.models["old"].computed) >= 2 * len(TEXTS))
        assert is_right(await process.checked())


async def test_a_check_finds_what_is_wrong_and_mends_it_when_asked(installation: Installation) -> None:
    async with installation.started() as process:
        await tell(process)
        gone = [message(n, "", session_id=f"session {n % SESSIONS}").point_id for n in (1, 2, 3)]
        lost = [message(n, "", session_id=f"session {n % SESSIONS}").point_id for n in (10, 20)]
        before = await process.scores("bees mira")
        await process.generations.indexes["turn"].remove(Selection(user="alice", messages=lost))
        await process.database.fetch("DELETE FROM pandora.messages WHERE point_id = ANY($1)", gone)

        for _ in range(2):
            found = (await process.checked()).kinds[0]
            assert (found.rows_without_points, found.points_without_rows) == (2, 3)
            assert (found.rows, found.points) == (57, 58)
        mended = await process.checked(mend=True)
        assert mended.mended
        assert (mended.kinds[0].rows_without_points, mended.kinds[0].points_without_rows) == (2, 3)

        assert is_right(await process.checked())
        after = await process.scores("bees mira")
        assert {key: after[key] for key in map(str, lost)} == {key: before[key] for key in map(str, lost)}
