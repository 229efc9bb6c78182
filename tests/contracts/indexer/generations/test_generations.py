"""Generations: built beside the live one, switched, gone on with after a kill."""

import asyncio

import pytest

from services.indexer.generations import backfill
from services.indexer.generations.postgres import PostgresGenerations
from services.indexer.passages.index import Selection
from shared.contract.errors import Refused
from shared.contract.memories import Statement
from shared.contract.requests import DeleteMemories, Reindex, SaveMemory
from shared.process.environment import SettingsError
from tests.contracts.indexer.generations.generations_room import KINDS, TEXTS, Installation, is_right, tell
from tests.unit.samples import AT, message

# --- a change of model -------------------------------------------------------------------------------------


async def test_the_first_generation_is_live_at_once(installation: Installation) -> None:
    async with installation.started() as process:
        assert process.generation.live.name == "old-v1-1"
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
        assert process.generation.live.name == "old-v1-1", "the one that is complete answers"
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
        assert process.generation.live.name == "new-v1-2"
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
            process.writer.add(
                [message(100 + n, text, session_id=f"session {n % 6}") for n, text in enumerate(texts)]
            )
        )
        gone = message(3, TEXTS[3], session_id="session 3").point_id
        await process.database.fetch("DELETE FROM pandora.messages WHERE point_id = $1", gone)
        await process.generation.indexes["turn"].remove(Selection(user="alice", messages=[gone]))
        changed = message(4, "roses now", session_id="session 0", at=AT)
        await process.writer.add([changed])
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
        assert len(new.computed) <= len(TEXTS) + 4 * backfill.PAGE_ROWS, "pages that were written are kept"
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
        assert process.generation.live.name == "new-v1-2"
        await process.checked(mend=True)
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
        with pytest.raises(Refused, match="there is no content"):
            await process.reindexer.reindex(Reindex(kinds=["content"]))


async def test_two_indexers_build_one_generation(installation: Installation) -> None:
    """Over a Qdrant server; here the second one only keeps the list."""
    async with installation.started() as process:
        table = PostgresGenerations(process.database)
        async with table.alone() as one, table.alone() as other:
            assert (one, other) == (True, False)
        async with table.alone() as again:
            assert again


# --- the same model on another engine ----------------------------------------------------------------------


async def test_vectors_that_are_nearly_the_same_stay(installation: Installation) -> None:
    async with installation.started() as process:
        await tell(process)

    installation.models["old"].shift = 0.1
    before = len(installation.models["old"].computed)
    async with installation.started() as process:
        await process.until(lambda: process.reindexer.has_compared)

        assert process.generation.live.name == "old-v1-1"
        assert (await process.reindexer.status()).running is False
    assert 0 < len(installation.models["old"].computed) - before < len(TEXTS)


async def test_vectors_that_are_others_now_are_made_again(installation: Installation) -> None:
    async with installation.started() as process:
        await tell(process)
        await process.memories.save(
            SaveMemory(user="alice", statement=Statement(text="Mira lives in Lisbon", kind="fact"))
        )

    installation.models["old"].shift = 2.0
    async with installation.started() as process:
        await process.until_switched("old-v1-2")

        assert is_right(await process.checked())
        assert TEXTS[0] in await process.found("bees number 0")
        assert "Mira lives in Lisbon" in await process.found("Mira Lisbon", kinds=["memory"])

    async with installation.started() as process:
        await process.until(lambda: process.reindexer.has_compared)
        assert process.generation.live.name == "old-v1-2"
        assert (await process.reindexer.status()).running is False
