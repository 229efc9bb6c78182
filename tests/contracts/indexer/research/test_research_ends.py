"""Pages that go: they expire, are made anew for another model, mended, forgotten."""

import pytest

from services.indexer.research.pages import point_of
from shared.contract.events import ForgetRequested, ForgetScope
from shared.contract.requests import FreshResearch, Reindex
from tests.contracts.indexer.generations.generations_room import Installation, Process, is_right
from tests.contracts.indexer.research.research_room import (
    HOUR,
    NOW,
    WEEK,
    hits,
    keep,
    page,
    points,
    read_at,
    rows,
    sweep_at,
)

# --- what expires ---


async def test_an_expired_page_is_not_found_and_its_points_and_row_go(process: Process) -> None:
    await keep(process, page(1, "bees " * 400), page(2, "bees for longer", expires_at=NOW + 9 * WEEK))
    assert len(await hits(process, "bees")) == 2
    later = read_at(process, NOW + 2 * WEEK)
    ids = [point_of("alice", one) for one in ("r1", "r2")]

    assert set(await later.of("alice", ids)) == {ids[1]}
    told = await later.fresh(FreshResearch(user="alice", query="keeping bees"))
    assert [one.research_id for one in told.pages] == ["r2"]

    await sweep_at(process, NOW + 2 * WEEK)
    assert await points(process) == 1
    assert await rows(process) == ["r1", "r2"], "its row is kept for a month"
    await sweep_at(process, NOW + 6 * WEEK)
    assert await rows(process) == ["r2"]
    assert [hit.id for hit in await hits(process, "bees")] == ["r2"]


async def test_a_page_that_has_expired_when_it_comes_is_not_indexed(process: Process) -> None:
    await keep(process, page(1, "bees", fetched_at=NOW - WEEK, expires_at=NOW - HOUR))

    assert await points(process) == 0
    assert await hits(process, "bees") == []
    assert is_right(await process.checked())


async def test_an_expired_page_that_is_fetched_again_is_found_again(process: Process) -> None:
    await keep(process, page(1, "bees"))
    await sweep_at(process, NOW + 2 * WEEK)
    assert await points(process) == 0

    await keep(process, page(1, "bees again", fetched_at=NOW, expires_at=NOW + 3 * WEEK))

    assert [hit.text for hit in await hits(process, "bees")] == ["bees again"]


# --- upkeep ---


async def test_pages_are_made_anew_for_another_model(installation: Installation) -> None:
    async with installation.started("old") as process:
        await keep(process, page(1, "bees " * 300 + "lisbon"), *[page(n, f"roses {n}") for n in range(2, 12)])
    async with installation.started("new") as process:
        await process.until_switched("new-v1-2")
        assert is_right(await process.checked())
        assert (await hits(process, "lisbon"))[0].id == "r1"
        assert len(await hits(process, "roses", limit=20)) == 11

        await process.reindexer.reindex(Reindex(kinds=["research"]))
        await process.until_switched("new-v1-3")
        assert is_right(await process.checked())
        assert (await hits(process, "lisbon"))[0].id == "r1"


async def test_a_check_mends_pages(process: Process) -> None:
    await keep(process, *[page(n, f"bees {n}") for n in range(20)])
    index = process.generation.indexes["research"]
    await index.drop([point_of("alice", f"r{n}") for n in (1, 2)])
    await process.database.fetch("DELETE FROM pandora.research WHERE research_id = 'r3'")
    await process.database.fetch(
        "UPDATE pandora.research SET text = 'roses', indexed = false WHERE research_id = 'r4'"
    )

    (found,) = [one for one in (await process.checked()).kinds if one.kind == "research"]
    assert (found.rows, found.rows_without_points, found.points_without_rows) == (19, 3, 1)
    await process.checked(mend=True)

    assert is_right(await process.checked())
    assert [hit.id for hit in await hits(process, "roses", limit=1)] == ["r4"]
    assert len(await hits(process, "bees", limit=50)) == 19


# --- forgetting ---


@pytest.mark.parametrize(
    ("scope", "target", "left"),
    [
        ("turn", "t7", ["r2", "r3", "r4"]),
        ("session", "kitchen", ["r3", "r4"]),
        ("user", "", ["r3"]),
        ("memory", "r1", ["r1", "r2", "r3", "r4"]),
    ],
)
async def test_pages_of_what_is_forgotten_go(
    process: Process, scope: ForgetScope, target: str, left: list[str]
) -> None:
    await keep(
        process,
        page(1, "bees", fetched_at=NOW),
        page(2, "bees 2", turn_id="t8"),
        page(3, "bees 3", turn_id="t9", requested_at=NOW),
        page(4, "bees 4", turn_id=None, session_id=None, requested_at=None),
        page(5, "bees 5", user="bob"),
    )
    order = ForgetRequested(
        forget_id="f1", user="alice", scope=scope, target=target, requested_at=NOW - HOUR / 2
    )

    assert await process.research.forget(order) == 4 - len(left)

    assert sorted(hit.id for hit in await hits(process, "bees")) == left
    assert await points(process) == len(left) + 1
    assert [hit.id for hit in await hits(process, "bees", "bob")] == ["r5"]
    assert await process.research.forget(order) == 0
    assert is_right(await process.checked())


async def test_one_page_that_was_forgotten_while_it_was_written_goes(process: Process) -> None:
    await keep(process, page(1, "bees"), page(2, "bees 2"))

    await process.research.forget_page("alice", "r1")

    assert [hit.id for hit in await hits(process, "bees")] == ["r2"]
    assert await points(process) == 1
