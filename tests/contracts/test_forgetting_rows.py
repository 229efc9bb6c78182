"""What is forgotten of rows, over a real PostgreSQL, and what a forgotten turn's late events meet."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_forgotten import PostgresForgotten
from services.indexer.adapters.postgres_memories import PostgresMemoryTable
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.domain.memories import Said
from services.indexer.domain.messages import messages_of
from shared.events import ForgetRequested, ForgetScope, TurnSaved
from shared.replies import MemoryFilter
from tests.unit.memories_room import DAY, NOON, said
from tests.unit.samples import AT, saved

LATER = AT + timedelta(hours=1)


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


def order(scope: ForgetScope, target: str = "") -> ForgetRequested:
    return ForgetRequested(forget_id="f1", user="alice", scope=scope, target=target, requested_at=LATER)


async def keep(connected: Database, events: Sequence[TurnSaved]) -> None:
    await PostgresMessageTable(connected).add([one for event in events for one in messages_of(event)])
    await PostgresTurnTable(connected).upsert(events)


async def turns_of(connected: Database, user: str = "alice") -> list[int]:
    rows = await PostgresTurnTable(connected).turns(user, session_id=None, before=None, limit=100)
    return sorted(row.turn_number for row in rows)


@pytest.mark.parametrize(
    ("scope", "target", "left"),
    [("turn", "t1", [2, 3, 4]), ("session", "kitchen", [2, 4]), ("user", "", [4])],
)
async def test_rows_of_what_began_before_go(
    connected: Database, scope: ForgetScope, target: str, left: list[int]
) -> None:
    events = [
        saved(1),
        saved(2, session_id="garden"),
        saved(3),
        saved(4, requested_at=LATER + timedelta(seconds=1), saved_at=LATER + timedelta(seconds=2)),
        saved(5, user="bob"),
    ]
    await keep(connected, events)

    removed = await PostgresForgotten(connected).remove(order(scope, target))

    assert await turns_of(connected) == left
    assert removed.turns == 4 - len(left)
    assert len(removed.messages) == 2 * (4 - len(left))
    assert set(removed.sessions) <= {"kitchen", "garden"}
    assert await turns_of(connected, "bob") == [5]


async def test_what_comes_late_is_covered_by_a_note_and_what_began_later_is_not(connected: Database) -> None:
    forgotten = PostgresForgotten(connected)
    await forgotten.note(order("session", "kitchen"))
    await forgotten.note(order("session", "kitchen"))

    said_then = [
        ("alice", "kitchen", "t1", AT),
        ("alice", "kitchen", "t2", LATER + timedelta(seconds=1)),
        ("alice", "garden", "t3", AT),
        ("bob", "kitchen", "t4", AT),
    ]
    assert await forgotten.covered(said_then) == {0}
    assert await forgotten.covered([]) == set()


async def test_a_cleared_answer_leaves_no_word_of_its_own(connected: Database) -> None:
    turn = saved(
        1, "What is my code?", "It is Oblongata.", keywords=["oblongata", "code"], topic="oblongata code"
    )
    await keep(connected, [turn, saved(2)])

    removed = await PostgresForgotten(connected).clear_answers("alice", ["t1"])

    rows = await PostgresTurnTable(connected).get("alice", ["t1", "t2"])
    assert (rows["t1"].input, rows["t1"].output) == ("What is my code?", "")
    assert (rows["t1"].keywords, rows["t1"].topic) == (["code"], "code")
    assert rows["t2"].output == "Hello to you."
    assert len(removed.messages) == 1
    assert len(removed.beside) == 2


async def test_memories_of_what_was_said_later_stay_and_the_forgotten_ones_are_named(
    connected: Database,
) -> None:
    table = PostgresMemoryTable(connected)
    statements: list[Said] = [
        said("Lisbon", turn_id="t1", session_id="kitchen"),
        said("Porto", DAY, turn_id="t2", session_id="kitchen"),
    ]
    await table.add(statements)

    gone = await table.remove("alice", session_ids=["kitchen"], until=NOON + timedelta(hours=1))

    rows = await table.find("alice", MemoryFilter(with_history=True), at=None, before=None, limit=10)
    assert [row.value for row in rows] == ["Porto"]
    assert statements[0].statement_id in gone.gone
    assert set(await PostgresForgotten(connected).sources("alice")) == {statements[0].statement_id, "t1"}
    assert await table.remove("alice", everything=True, until=NOON + timedelta(hours=1))
    assert (await table.get("alice", [statements[1].statement_id])) != []


async def test_a_memory_of_the_future_goes_with_its_user(connected: Database) -> None:
    """Whoever states it says when it was said."""
    table = PostgresMemoryTable(connected)
    await table.add([said("Lisbon", 40_000 * DAY)])

    await table.remove("alice", everything=True, until=LATER)

    assert await table.find("alice", MemoryFilter(with_history=True), at=None, before=None, limit=10) == []
