"""The contract of MemoryTable over a real PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.indexer.memories.history import history_of
from services.indexer.memories.memory import MemoryRow, cursor_of, point_of, read_cursor, row_of
from services.indexer.memories.postgres.memories import PostgresMemoryTable
from services.indexer.memories.statement import Said, StatementSelection
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.contract.errors import Poison
from shared.contract.requests import MemoryChange, MemoryFilter
from tests.unit.indexer.memories.memories_room import DAY, NOON, said


@pytest.fixture
async def table(database: str) -> AsyncIterator[PostgresMemoryTable]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as connected:
        yield PostgresMemoryTable(connected)


async def found(table: PostgresMemoryTable, user: str = "alice", **more: Any) -> list[str]:
    where = MemoryFilter(**{name: value for name, value in more.items() if name != "at"})
    rows = await table.find(user, where, at=more.get("at"), before=None, limit=100)
    return [row.value or row.text for row in rows]


async def test_a_row_tells_what_the_history_tells(table: PostgresMemoryTable) -> None:
    statements = [
        said(
            "Lisbon \N{HONEYBEE}",
            turn_id="t7",
            session_id="kitchen",
            message_ids=["t7:user"],
            quote="I live in Lisbon \N{HONEYBEE}",
            valid_to=NOON + 9 * DAY,
        ),
        said("Lisbon", DAY, made_by="user"),
    ]
    written = await table.add(statements)

    expected = [row_of(known) for known in history_of(statements)]
    assert written.memories == expected
    assert await table.get("alice", [statements[0].statement_id]) == expected
    assert await table.at_points("alice", [point_of("alice", expected[0].memory_id)]) == {
        point_of("alice", expected[0].memory_id): expected[0]
    }


async def test_a_statement_is_stored_once_however_often_it_comes(table: PostgresMemoryTable) -> None:
    first = await table.add([said("Lisbon")])

    assert await table.add([said("Lisbon")]) == first
    assert len(first.memories[0].evidence) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_of_arrival_leaves_the_same_rows(table: PostgresMemoryTable, seed: int) -> None:
    places = [("Lisbon", 0), ("Porto", 1), ("Porto", 4), ("Faro", 5), ("Lisbon", 5)]
    statements = [said(place, days * DAY) for place, days in places]
    random.Random(seed).shuffle(statements)  # noqa: S311 - one order a seed
    for one in statements:
        await table.add([one])

    rows = await table.find("alice", MemoryFilter(), at=None, before=None, limit=100)
    assert by_id(rows) == by_id([row_of(known) for known in history_of(statements)])


async def test_statements_that_come_at_once_do_not_lose_each_other(table: PostgresMemoryTable) -> None:
    statements = [said("Lisbon", n * DAY) for n in range(20)]
    await asyncio.gather(*(table.add([one]) for one in statements))

    (row,) = await table.get("alice", ["Lisbon-0"])
    assert len(row.evidence) == 20


async def test_the_list_shows_what_held_at_a_time(table: PostgresMemoryTable) -> None:
    faro = said("Faro", 20 * DAY, valid_to=NOON + 21 * DAY)
    await table.add([said("Lisbon"), said("Porto", 10 * DAY), faro])

    assert await found(table, at=NOON - DAY) == []
    assert await found(table, at=NOON) == ["Lisbon"]
    assert await found(table, at=NOON + 15 * DAY) == ["Porto"]
    assert await found(table, at=NOON + 30 * DAY) == []
    assert await found(table) == ["Faro", "Porto", "Lisbon"]


async def test_the_list_is_narrowed_by_kind_subject_attribute_and_words(table: PostgresMemoryTable) -> None:
    await table.add(
        [
            said("Lisbon"),
            said("tea", attribute="likes", kind="preference", text="I like green tea."),
            said("Rome", subject="Nadia", text="Nadia lives in Rome."),
        ]
    )

    assert await found(table, kinds=["preference"]) == ["tea"]
    assert await found(table, kinds=["preference", "fact"], subject="me") == ["tea", "Lisbon"]
    assert await found(table, subject="nadia") == ["Rome"]
    assert await found(table, attribute="Lives in") == ["Rome", "Lisbon"]
    assert await found(table, words="TEA green") == ["tea"]
    assert await found(table, words="100%") == []


async def test_pages_join_to_the_whole_list(table: PostgresMemoryTable) -> None:
    await table.add([said(f"code {n:02}", (n // 3) * DAY, attribute="", kind="note") for n in range(10)])
    whole = await table.find("alice", MemoryFilter(), at=None, before=None, limit=100)

    pages: list[MemoryRow] = []
    before = None
    while page := await table.find("alice", MemoryFilter(), at=None, before=before, limit=4):
        pages += page
        before = read_cursor(cursor_of(page[-1]))
    assert pages == whole
    assert len(pages) == 10


async def test_a_user_has_nothing_to_do_with_another(table: PostgresMemoryTable) -> None:
    await table.add([said("Lisbon")])
    bobs = Said(**{**{f: getattr(said("Porto", DAY), f) for f in Said.__struct_fields__}, "user": "bob"})
    await table.add([bobs])

    assert await found(table, "bob") == ["Porto"]
    assert await found(table) == ["Lisbon"]
    assert await table.get("bob", ["Lisbon-0"]) == []
    assert await table.change("bob", "Lisbon-0", MemoryChange(text="x")) is None
    assert (await table.remove(StatementSelection(user="bob", memory_ids=["Lisbon-0"]))).gone == []
    assert await table.at_points("bob", [point_of("alice", "Lisbon-0")]) == {}
    assert await found(table) == ["Lisbon"]


async def test_a_correction_moves_a_memory_to_where_it_belongs(table: PostgresMemoryTable) -> None:
    await table.add([said("tea", attribute="likes"), said("coffee", DAY, attribute="likes")])

    written = await table.change("alice", "coffee-1", MemoryChange(value="tea"))

    assert written is not None
    assert written.gone == ["coffee-1"]
    (row,) = await table.get("alice", ["coffee-1"])
    assert (row.memory_id, row.value, len(row.evidence)) == ("tea-0", "tea", 2)


async def test_a_redelivered_statement_does_not_undo_a_correction(table: PostgresMemoryTable) -> None:
    await table.add([said("Lisbon")])
    await table.change("alice", "Lisbon-0", MemoryChange(value="Loures", confidence=0.5))
    await table.add([said("Lisbon")])

    (row,) = await table.get("alice", ["Lisbon-0"])
    assert (row.value, row.confidence, row.made_by) == ("Loures", 0.5, "user")


async def test_what_is_forgotten_does_not_come_back(table: PostgresMemoryTable) -> None:
    await table.add([said("Lisbon"), said("Lisbon", DAY)])

    assert (await table.remove(StatementSelection(user="alice", memory_ids=["Lisbon-1"]))).gone == [
        "Lisbon-0",
        "Lisbon-1",
    ]
    assert await table.add([said("Lisbon")]) == await table.add([said("Lisbon", DAY)])
    assert await found(table) == []
    await table.add([said("Lisbon", 5 * DAY)])
    assert await found(table) == ["Lisbon"]


async def test_what_a_forgotten_memory_had_ended_holds_again(table: PostgresMemoryTable) -> None:
    await table.add([said("Lisbon"), said("Porto", DAY)])

    written = await table.remove(StatementSelection(user="alice", memory_ids=["Porto-1"]))

    assert [(row.value, row.valid_to) for row in written.memories] == [("Lisbon", None)]
    assert await found(table, at=NOON + 2 * DAY) == ["Lisbon"]


async def test_what_a_forgotten_turn_said_goes_with_it(table: PostgresMemoryTable) -> None:
    places = ["Lisbon", "Lisbon", "Porto"]
    await table.add([said(place, n * DAY, turn_id=f"t{n + 1}") for n, place in enumerate(places)])

    await table.remove(StatementSelection(user="alice", turn_ids=["t1", "t3", "t9"]))

    (row,) = await table.find("alice", MemoryFilter(), at=None, before=None, limit=9)
    assert (row.memory_id, row.valid_from, row.valid_to) == ("Lisbon-1", NOON + DAY, None)
    await table.add([said("Faro", 3 * DAY, turn_id="t9")])
    assert await found(table) == ["Lisbon"]


@pytest.mark.parametrize("which", [{"session_ids": ["kitchen"]}, {"everything": True}])
async def test_a_session_or_all_of_a_user_is_forgotten(
    table: PostgresMemoryTable, which: dict[str, Any]
) -> None:
    await table.add([said("Lisbon", turn_id="t1", session_id="kitchen")])

    assert (await table.remove(StatementSelection(user="alice", **which))).gone == ["Lisbon-0"]
    await table.add([said("Porto", DAY, turn_id="t1", session_id="kitchen")])
    assert await found(table) == []


async def test_a_use_is_noted_and_outlives_what_is_said_later(table: PostgresMemoryTable) -> None:
    await table.add([said("Lisbon")])
    await table.note_used("alice", ["Lisbon-0"], NOON + 5 * DAY)
    await table.note_used("alice", ["Lisbon-0"], NOON + 3 * DAY)
    await table.add([said("Porto", 9 * DAY)])

    (row,) = await table.get("alice", ["Lisbon-0"])
    assert row.used_at == NOON + 5 * DAY


async def test_a_time_that_postgresql_cannot_keep_is_poison(table: PostgresMemoryTable) -> None:
    ends = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    await table.add([said("Lisbon", valid_to=ends - timedelta(days=400))])

    with pytest.raises(Poison):
        await table.add([said("\0")])


def by_id(rows: list[MemoryRow]) -> dict[str, MemoryRow]:
    return {row.memory_id: row for row in rows}
