"""Which turns of a session are abandoned, over a real PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from itertools import permutations

import pytest

from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.contract.events import TurnSaved
from tests.unit.samples import saved

Story = Sequence[tuple[int, int | None]]
"""Turns of one session: their numbers, and the number of the turn that each follows."""


@pytest.fixture
async def table(database: str) -> AsyncIterator[PostgresTurnTable]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as connected:
        yield PostgresTurnTable(connected)


def turns_of(story: Story, session_id: str) -> list[TurnSaved]:
    return [
        saved(number, f"{session_id} {number}", session_id=session_id, follows=follows)
        for number, follows in story
    ]


async def abandoned(table: PostgresTurnTable, session_id: str) -> list[int]:
    rows = await table.turns("alice", session_id=session_id, before=None, limit=100)
    return sorted(row.turn_number for row in rows if row.abandoned)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([(1, None), (2, None), (3, None)], []),
        ([(1, None), (2, 1), (3, 2)], []),
        ([(1, None), (2, 1), (3, 1)], [2]),
        ([(1, None), (2, 1), (3, 2), (4, 1), (5, None)], [2, 3]),
        ([(1, 0), (2, 1), (3, 0)], [1, 2]),
        ([(1, None), (2, 1), (3, 1), (4, 2)], [3]),
        ([(2, 1), (3, 2), (4, 3)], []),
        ([(1, None), (2, 1), (3, 9)], []),
    ],
    ids=["told on", "followed", "edited", "goes on after", "begun anew", "gone back", "forgotten", "no turn"],
)
async def test_turns_that_the_newest_does_not_go_on_from_are_abandoned(
    table: PostgresTurnTable, story: Story, expected: list[int]
) -> None:
    """In whatever order and however often they come."""
    for place, order in enumerate([story, *permutations(story)][:8]):
        session = f"s{place}"
        shifted = [(100 * place + n, None if f is None else f and 100 * place + f) for n, f in order]
        for turn in turns_of(shifted, session):
            await table.upsert([turn])
            await table.upsert([turn])

        assert await abandoned(table, session) == [100 * place + number for number in expected]


async def test_other_sessions_and_users_are_left_alone(table: PostgresTurnTable) -> None:
    await table.upsert(
        [*turns_of([(1, None), (4, None)], "one"), saved(2, "Hi", user="bob", session_id="two")]
    )
    await table.upsert(turns_of([(3, None), (5, 0)], "two"))

    assert await abandoned(table, "one") == []
    assert await abandoned(table, "two") == [3]
    (of_bob,) = await table.turns("bob", session_id="two", before=None, limit=9)
    assert not of_bob.abandoned


async def test_an_abandoned_turn_is_no_neighbour(table: PostgresTurnTable) -> None:
    await table.upsert(turns_of([(1, None), (2, 1), (3, 1)], "kitchen"))

    assert [row.turn_number for row in await table.neighbours("alice", ["t1"])] == [3]
