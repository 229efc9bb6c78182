"""The contract of PassageIndex, put to both of its adapters: what is written, counted, paged and removed."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import numpy
import pytest

from services.indexer.passages.index import PassageIndex, Selection
from tests.contracts.indexer.qdrant.passage_room import (
    BEES,
    DAY,
    HALF,
    POINTS,
    ROSES,
    TAX,
    ask,
    close_to,
    point,
    write,
)
from tests.unit.samples import AT, message

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


# --- writing ---


async def test_a_message_written_twice_is_one_point_with_its_last_words(index: PassageIndex) -> None:
    await write(index)
    await write(index, [point(1, "Mira keeps wasps", ROSES)])

    assert await index.count() == len(POINTS)
    found = await ask(index, ROSES, "wasps")
    assert found[1].meaning == close_to(1.0)
    assert found[1].words
    assert not (await ask(index, ROSES, "Lisbon"))[1].words


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        (Selection(user="alice"), set()),
        (Selection(user="alice", session_id="garden"), {1, 3, 7}),
        (Selection(user="alice", session_id="nowhere"), {1, 2, 3, 4, 7}),
        (Selection(user="alice", messages=[message(7, "").point_id]), {1, 2, 3, 4}),
        (Selection(user="bob", messages=[message(7, "").point_id]), {1, 2, 3, 4, 7}),
        (Selection(user="alice", messages=[]), {1, 2, 3, 4, 7}),
        (Selection(user="carol"), {1, 2, 3, 4, 7}),
    ],
    ids=lambda one: "" if isinstance(one, set) else f"{one.user} {one.session_id} {one.messages}"[:40],
)
async def test_what_is_removed_is_found_no_more_and_nothing_else_is_lost(
    index: PassageIndex, removed: Selection, left: set[int]
) -> None:
    """Message 7 has two parts; bob loses nothing unless he is named."""
    await write(index, [*POINTS, point(7, "bees", BEES), point(7, "more bees", HALF, part=1)])

    await index.remove(removed)

    assert set(await ask(index, BEES, "bees")) == left
    assert set(await ask(index, BEES, "bees", user="bob")) == {5}
    assert await index.count() == 1 + len(left) + (7 in left)


async def test_the_vector_of_a_passage_can_be_read_again(index: PassageIndex) -> None:
    """That of the passage alone; those that are not there are left out."""
    first, second = point(7, "bees", HALF, TAX), point(7, "roses", ROSES, TAX, part=1)
    await write(index, [first, second])

    read = await index.vectors([second[0].id, first[0].id, uuid4()])

    assert set(read) == {first[0].id, second[0].id}
    assert read[first[0].id] == pytest.approx(HALF, abs=1e-6)
    assert read[second[0].id] == pytest.approx(ROSES, abs=1e-6)
    assert read[first[0].id].dtype == numpy.float32


async def test_uses_are_counted_at_every_part_of_a_message_and_at_no_other(index: PassageIndex) -> None:
    long = [point(7, "bees", HALF), point(7, "wasps", BEES, part=1)]
    await write(index, [*POINTS, *long])

    await index.set_uses({message(7, "").point_id: 4, message(1, "").point_id: 2})

    found = await ask(index, BEES, "bees")
    assert {place: candidate.uses for place, candidate in found.items()} == {1: 2, 2: 0, 3: 0, 4: 0, 7: 4}
    assert (await ask(index, BEES, "", limit=1, since=AT + timedelta(minutes=7), until=AT + DAY))[7].uses == 4
    assert found[1].meaning == close_to(1.0), "nothing else has changed"


async def test_a_search_sees_what_has_changed_since_the_search_before(index: PassageIndex) -> None:
    long = [point(7, "bees", HALF), point(7, "bees and wasps", BEES, part=1)]
    await write(index, [*POINTS, *long])
    before = await ask(index, BEES, "bees")

    await index.set_uses({message(7, "").point_id: 4})
    await write(index, [point(1, "Does Mira keep bees?", BEES)])
    await index.drop([POINTS[1][0].message.point_id])
    await index.remove(Selection(user="alice", messages=[message(3, "").point_id]))

    after = await ask(index, BEES, "bees")
    assert set(before) - set(after) == {2, 3}
    assert (before[7].uses, after[7].uses) == (0, 4)
    assert (before[1].asks, after[1].asks) == (False, True)


async def test_uses_of_a_message_that_has_no_point_are_counted_nowhere(index: PassageIndex) -> None:
    await write(index)

    await index.set_uses({uuid4(): 3})

    assert await index.count() == len(POINTS)
    assert all(candidate.uses == 0 for candidate in (await ask(index, BEES, "bees")).values())


@pytest.mark.parametrize("limit", [1, 2, 6, 100])
async def test_all_messages_can_be_paged_through(index: PassageIndex, limit: int) -> None:
    """Of all users; one with several parts may come several times."""
    await write(index, [*POINTS, point(7, "bees", HALF), point(7, "wasps", BEES, part=1)])

    pages: list[list[UUID]] = []
    after: UUID | None = None
    while True:
        page, after = await index.messages(after, limit)
        pages.append(page)
        if after is None:
            break

    read = [one for page in pages for one in page]
    assert max(len(page) for page in pages) <= limit
    assert set(read) == {passage.message.point_id for passage, _, _ in POINTS} | {message(7, "").point_id}
    assert len(read) == len(POINTS) + 2


async def test_points_are_told_from_those_that_are_not_there(index: PassageIndex) -> None:
    await write(index)
    here = [passage.id for passage, _, _ in POINTS]

    assert await index.present([*here, uuid4()]) == set(here)
    assert await index.present([]) == set()


async def test_points_without_rows_are_dropped_whoevers_they_were(index: PassageIndex) -> None:
    await write(index, [*POINTS, point(7, "bees", HALF), point(7, "wasps", BEES, part=1)])

    await index.drop([message(1, "").point_id, message(5, "", user="bob").point_id, message(7, "").point_id])
    await index.drop([uuid4()])

    assert await index.count() == len(POINTS) - 2
    assert set(await ask(index, BEES, "bees")) == {2, 3, 4}
    assert await ask(index, BEES, "bees", user="bob") == {}


async def test_writing_and_searching_go_on_side_by_side(index: PassageIndex) -> None:
    points = [point(n, f"message number {n}", BEES) for n in range(40)]

    await asyncio.gather(
        *(write(index, points[n : n + 4]) for n in range(0, 40, 4)),
        *(ask(index, BEES, "message") for _ in range(10)),
    )

    assert await index.count() == 40
