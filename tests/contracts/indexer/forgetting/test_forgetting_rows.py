"""What is forgotten of rows, over a real PostgreSQL, and what a forgotten turn's late events meet."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import msgspec
import pytest

from services.indexer.forgetting.debts import OWED_BY_MEMORIES, OWED_BY_PAGES, OWED_BY_TURNS
from services.indexer.forgetting.postgres.debts import PostgresDebts
from services.indexer.forgetting.postgres.forgotten import PostgresForgotten
from services.indexer.memories.postgres.memories import PostgresMemoryTable
from services.indexer.memories.statement import Said, StatementSelection
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.passages.message import messages_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.orchestrator.forgetting.receipts import new_receipt
from shared.contract.events import ForgetRequested, ForgetScope, TurnSaved
from shared.contract.requests import MemoryFilter
from tests.unit.indexer.memories.memories_room import DAY, NOON, said
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


async def test_every_store_owes_the_bytes_of_an_order_until_they_are_paid(connected: Database) -> None:
    forgotten, debts = PostgresForgotten(connected), PostgresDebts(connected)
    assert await debts.owed_since() is None

    first = await forgotten.note(order("turn", "t1"))
    again = await forgotten.note(order("turn", "t1"))
    await debts.paid([debt for debt in first if debt.store not in OWED_BY_TURNS])

    assert {debt.store for debt in first} == {*OWED_BY_TURNS, *OWED_BY_MEMORIES, *OWED_BY_PAGES}
    assert again == []
    assert {debt.store for debt in await debts.owed()} == set(OWED_BY_TURNS)
    assert await debts.owed_since() is not None
    earlier = await debts.owed()
    await debts.owe(OWED_BY_TURNS[:1], "f1")
    await debts.paid(earlier)
    assert [debt.store for debt in await debts.owed()] == ["turns"], "something was removed since"
    await debts.paid(await debts.owed())
    assert await debts.owed_since() is None


async def test_receipts_that_are_not_erased_are_listed_by_id(connected: Database) -> None:
    forgotten, debts = PostgresForgotten(connected), PostgresDebts(connected)
    for forget_id, state in (("f3", "forgotten"), ("f1", "forgotten"), ("f2", "erased"), ("f4", "pending")):
        asked = msgspec.structs.replace(order("turn", "t1"), forget_id=forget_id)
        await debts.paid(await forgotten.note(asked))
        receipt = msgspec.structs.replace(new_receipt(asked, LATER), state=state)
        await forgotten.keep(receipt)

    assert [one.forget_id for one in await forgotten.unerased("", 10)] == ["f1", "f3"]
    assert [one.forget_id for one in await forgotten.unerased("f1", 10)] == ["f3"]
    assert await debts.owed_since() == LATER


async def test_a_cleared_answer_leaves_no_word_of_its_own(connected: Database) -> None:
    turn = saved(
        1, "What is my code?", "It is Oblongata.", keywords=["oblongata", "code"], topic="oblongata code"
    )
    await keep(connected, [turn, saved(2)])

    removed = await PostgresForgotten(connected).clear_answers("alice", ["t1"])

    listed = await PostgresTurnTable(connected).turns("alice", session_id=None, before=None, limit=100)
    rows = {row.turn_id: row for row in listed}
    assert (rows["t1"].input, rows["t1"].output) == ("What is my code?", "")
    assert (rows["t1"].keywords, rows["t1"].topic) == (["code"], "code")
    assert rows["t2"].output == "Hello to you."
    assert len(removed.messages) == 1
    assert len(removed.neighbours) == 2


async def test_memories_of_what_was_said_later_stay_and_the_forgotten_ones_are_named(
    connected: Database,
) -> None:
    table = PostgresMemoryTable(connected)
    statements: list[Said] = [
        said("Lisbon", turn_id="t1", session_id="kitchen"),
        said("Porto", DAY, turn_id="t2", session_id="kitchen"),
    ]
    await table.add(statements)

    gone = await table.remove(
        StatementSelection(user="alice", session_ids=["kitchen"], until=NOON + timedelta(hours=1))
    )

    rows = await table.find("alice", MemoryFilter(with_history=True), at=None, before=None, limit=10)
    assert [row.value for row in rows] == ["Porto"]
    assert statements[0].statement_id in gone.gone
    assert set(await PostgresForgotten(connected).sources("alice")) == {statements[0].statement_id, "t1"}
    assert await table.remove(
        StatementSelection(user="alice", everything=True, until=NOON + timedelta(hours=1))
    )
    assert (await table.get("alice", [statements[1].statement_id])) != []


async def test_a_memory_of_the_future_goes_with_its_user(connected: Database) -> None:
    """Whoever states it says when it was said."""
    table = PostgresMemoryTable(connected)
    await table.add([said("Lisbon", 40_000 * DAY)])

    await table.remove(StatementSelection(user="alice", everything=True, until=LATER))

    assert await table.find("alice", MemoryFilter(with_history=True), at=None, before=None, limit=10) == []
