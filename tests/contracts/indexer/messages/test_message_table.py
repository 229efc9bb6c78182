"""The contract of MessageTable over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.passages.message import Message, StoredMessage, message_of_import, messages_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.contract.errors import Poison, Transient
from shared.contract.requests import ImportedMessage
from tests.unit.samples import AT, saved


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


@pytest.fixture
def table(connected: Database) -> PostgresMessageTable:
    return PostgresMessageTable(connected)


def said(number: int, text: str = "", user: str = "alice", **more: Any) -> Message:
    fields: dict[str, Any] = {"session_id": "kitchen", "speaker": "Caroline", **more}
    at = AT + timedelta(minutes=number)
    return message_of_import(
        user, ImportedMessage(message_id=f"m{number}", text=text or f"message {number}", at=at, **fields)
    )


def names(messages: Sequence[StoredMessage]) -> list[str]:
    return [message.message_id for message in messages]


async def session(
    table: PostgresMessageTable, session_id: str = "kitchen", user: str = "alice"
) -> list[tuple[int, str]]:
    """(place, message id) of all its messages, by place."""
    ids = [said(number, user=user, session_id=session_id).point_id for number in range(200)]
    return sorted((one.ordinal, one.message_id) for one in (await table.get(user, ids)).values())


async def test_a_row_tells_what_was_said(table: PostgresMessageTable) -> None:
    event = saved(
        7,
        "Où est Mira? 🐝",
        "À Lisbonne.",
        saved_at=AT + timedelta(seconds=9),
        intent="question",
        quality=0.875,
    )
    asked, answered = messages_of(event)
    await table.add([asked, answered])

    assert await table.get("alice", [asked.point_id, answered.point_id, uuid4()]) == {
        one.point_id: StoredMessage(**msgspec.structs.asdict(one), ordinal=place, uses=0, indexed=False)
        for place, one in enumerate((asked, answered))
    }


async def test_messages_stand_in_their_session_in_the_order_in_which_they_came(
    table: PostgresMessageTable,
) -> None:
    """Not in that of their times: two may have the same, and clocks differ."""
    garden = said(6, session_id="garden")
    await table.add([said(3), said(1), garden])
    await table.add([said(2)])

    assert await session(table) == [(0, "m3"), (1, "m1"), (2, "m2")]
    assert await session(table, "garden") == [(0, "m6")]


async def test_the_same_messages_again_change_nothing(table: PostgresMessageTable) -> None:
    first = await table.add([said(1), said(2)])
    await table.mark_indexed([said(1).point_id, said(2).point_id])
    before = await table.get("alice", [said(1).point_id, said(2).point_id])

    again = await table.add([said(2), said(1)])

    assert (first.new, first.changed, first.known) == (2, [], 0)
    assert (again.new, again.changed, again.known) == (0, [], 2)
    assert await table.get("alice", [said(1).point_id, said(2).point_id]) == before
    assert await table.count() == (2, 0)


async def test_new_and_known_ones_may_come_together(table: PostgresMessageTable) -> None:
    await table.add([said(1), said(3)])

    added = await table.add([said(1), said(2), said(3), said(4)])

    assert (added.new, added.changed, added.known) == (2, [], 2)
    assert await session(table) == [(0, "m1"), (1, "m3"), (2, "m2"), (3, "m4")]


async def test_another_text_takes_the_place_of_the_first_and_has_to_be_indexed(
    table: PostgresMessageTable,
) -> None:
    await table.add([said(1), said(2, "bees"), said(3)])
    await table.mark_indexed([said(n).point_id for n in (1, 2, 3)])

    changed = said(2, "wasps", speaker="Mel")
    added = await table.add([said(1), changed])

    assert (added.new, added.changed, added.known) == (0, [changed.point_id], 1)
    row = (await table.get("alice", [changed.point_id]))[changed.point_id]
    assert (row.text, row.speaker, row.ordinal, row.indexed) == ("wasps", "Mel", 1, False)
    assert await table.count() == (3, 1)


async def test_of_a_message_that_comes_twice_at_once_the_last_text_is_kept(
    table: PostgresMessageTable,
) -> None:
    added = await table.add([said(1, "bees"), said(2), said(1, "wasps")])

    assert added.new == 2
    assert await session(table) == [(0, "m1"), (1, "m2")]
    assert (await table.get("alice", [said(1).point_id]))[said(1).point_id].text == "wasps"


async def test_two_writers_of_one_session_give_every_message_a_place_of_its_own(
    table: PostgresMessageTable,
) -> None:
    """And where they bring the same messages, these are there once."""
    parts = [[said(number) for number in range(first, first + 10)] for first in range(0, 100, 10)]
    parts += [[said(number) for number in range(first + 9, first - 1, -1)] for first in range(0, 100, 10)]

    added = await asyncio.gather(*(table.add(part) for part in parts))

    assert sum(one.new for one in added) == 100
    assert [place for place, _ in await session(table)] == list(range(100))


async def test_two_writers_of_many_sessions_never_wait_in_a_circle(table: PostgresMessageTable) -> None:
    messages = [said(number, session_id=f"s{number}") for number in range(40)]

    await asyncio.gather(*(table.add(messages[:: 1 if n % 2 else -1]) for n in range(8)))

    assert await table.count() == (40, 40)


# --- what is to be indexed ---------------------------------------------------------------------------------


async def test_what_is_unindexed_comes_with_the_two_before_and_after_it(table: PostgresMessageTable) -> None:
    messages = [said(number) for number in range(10)]
    await table.add([*messages, said(5, session_id="garden"), said(5, user="bob")])
    await table.mark_indexed([message.point_id for message in messages if message.message_id != "m5"])

    found = await table.unindexed([messages[5].point_id, messages[1].point_id])

    assert names(found) == ["m3", "m4", "m5", "m6", "m7"]
    assert [one.indexed for one in found] == [True, True, False, True, True]
    assert {(one.user, one.session_id) for one in found} == {("alice", "kitchen")}


async def test_unindexed_ones_of_several_sessions_come_by_user_session_and_place(
    table: PostgresMessageTable,
) -> None:
    messages = [said(2), said(1), said(1, session_id="garden"), said(1, user="bob")]
    await table.add(messages)

    found = await table.unindexed([message.point_id for message in messages])

    assert [(one.user, one.session_id, one.message_id) for one in found] == [
        ("alice", "garden", "m1"),
        ("alice", "kitchen", "m2"),
        ("alice", "kitchen", "m1"),
        ("bob", "kitchen", "m1"),
    ]


async def test_what_is_indexed_or_unknown_is_not_to_be_indexed(table: PostgresMessageTable) -> None:
    await table.add([said(1), said(2)])
    await table.mark_indexed([said(1).point_id])

    assert await table.unindexed([said(1).point_id, uuid4()]) == []
    assert await table.unindexed([]) == []
    assert await table.count() == (2, 1)


# --- whose it is -------------------------------------------------------------------------------------------


async def test_nobody_reads_what_another_user_said(table: PostgresMessageTable) -> None:
    """Also where both call their session and their message the same."""
    mine, yours = said(1, "of alice"), said(1, "of bob", user="bob")
    await table.add([mine, yours])

    assert mine.point_id != yours.point_id
    assert list(await table.get("alice", [mine.point_id, yours.point_id])) == [mine.point_id]
    assert await table.get("carol", [mine.point_id, yours.point_id]) == {}
    assert await session(table, user="bob") == [(0, "m1")]


async def test_the_speakers_of_a_user_are_known_once_each(table: PostgresMessageTable) -> None:
    await table.add([said(1), said(2, speaker="Mel"), said(3, speaker="Mel", session_id="garden")])
    await table.add([said(4, speaker="Mel"), said(1, user="bob", speaker="Tomas")])

    assert sorted(await table.speakers("alice")) == ["Caroline", "Mel"]
    assert await table.speakers("bob") == ["Tomas"]
    assert await table.speakers("carol") == []


async def test_uses_are_counted_one_by_one(table: PostgresMessageTable) -> None:
    one, other = said(1).point_id, said(2).point_id
    await table.add([said(1), said(2), said(3)])

    assert await table.used("alice", {one: 1, other: 2}) == {one: 1, other: 2}
    assert await table.used("alice", {one: 1, uuid4(): 1}) == {one: 2}
    assert await table.used("alice", {}) == {}
    assert {m.message_id: m.uses for m in (await table.get("alice", [one, other])).values()} == {
        "m1": 2,
        "m2": 2,
    }


async def test_a_use_counts_for_the_message_of_its_own_user_and_session(table: PostgresMessageTable) -> None:
    mine, garden, yours = said(1), said(1, session_id="garden"), said(1, user="bob")
    await table.add([mine, garden, yours])

    assert await table.used("alice", {garden.point_id: 1, yours.point_id: 1}) == {garden.point_id: 1}
    assert (await table.get("alice", [mine.point_id]))[mine.point_id].uses == 0
    assert (await table.get("bob", [yours.point_id]))[yours.point_id].uses == 0


# --- what can be stored ------------------------------------------------------------------------------------


async def test_the_one_character_that_postgres_cannot_hold_is_replaced(table: PostgresMessageTable) -> None:
    asked, answered = messages_of(saved(1, "a\0b", "c\0d", topic="e\0f"))
    imported = said(3, "g\0h", speaker="i\0j")

    assert (await table.add([asked, answered, imported])).new == 3
    again = await table.add([asked, answered, imported])

    rows = await table.get("alice", [asked.point_id, answered.point_id, imported.point_id])
    assert [row.text for row in rows.values()] == ["a\ufffdb", "c\ufffdd", "g\ufffdh"]
    assert [row.labels.get("topic") for row in rows.values()] == ["e\ufffdf", "e\ufffdf", None]
    assert sorted(await table.speakers("alice")) == ["assistant", "i\ufffdj", "user"]
    assert (again.changed, again.known) == ([], 3), "it is still the same"


async def test_a_message_of_a_hundred_thousand_words_is_stored(table: PostgresMessageTable) -> None:
    await table.add([said(1, "word " * 100_000)])

    assert len((await table.get("alice", [said(1).point_id]))[said(1).point_id].text) == 500_000


async def test_a_turn_number_too_large_is_poison_and_changes_nothing(table: PostgresMessageTable) -> None:
    with pytest.raises(Poison):
        await table.add([*messages_of(saved(1)), *messages_of(saved(2**63))])

    assert await table.count() == (0, 0)


async def test_nothing_written_is_nothing_found(table: PostgresMessageTable) -> None:
    added = await table.add([])

    assert (added.new, added.changed, added.known) == (0, [], 0)
    assert await table.count() == (0, 0)
    assert await table.get("alice", []) == {}
    await table.mark_indexed([])


async def test_a_server_that_restarts_is_transient_and_then_there_again(
    table: PostgresMessageTable, connected: Database, database: str
) -> None:
    await table.add([said(1)])
    sleeping = asyncio.create_task(connected.fetch("SELECT pg_sleep(30)"))
    administrator = await asyncpg.connect(database)
    async with asyncio.timeout(30):
        while not await administrator.fetchval(  # noqa: ASYNC110
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%pg_sleep(30)' AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.02)
    await administrator.close()

    with pytest.raises(Transient):
        await sleeping
    assert (await table.add([said(1), said(2)])).known == 1
