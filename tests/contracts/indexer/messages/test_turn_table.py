"""The contract of TurnTable over a real PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.passages.message import point_id_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import FOLDER, migrate
from shared.contract.errors import Poison
from shared.contract.events import SeenImage, TurnCancelled
from shared.contract.requests import SessionRow, TurnRow
from tests.unit.samples import AT, saved

OF_ALICE = [
    saved(
        n,
        f"alice says {n}",
        session_id="garden" if n % 3 == 0 else "kitchen",
        saved_at=AT + timedelta(minutes=n),
    )
    for n in range(1, 10)
]
OF_BOB = [saved(n, f"bob says {n}", user="bob") for n in (20, 21)]


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


@pytest.fixture
def table(connected: Database) -> PostgresTurnTable:
    return PostgresTurnTable(connected)


def numbers(rows: list[TurnRow]) -> list[int]:
    return [row.turn_number for row in rows]


async def row_of(table: PostgresTurnTable, turn_id: str) -> TurnRow:
    rows = await table.turns("alice", session_id=None, before=None, limit=100)
    return next(row for row in rows if row.turn_id == turn_id)


async def page(table: PostgresTurnTable, user: str = "alice", **more: object) -> list[int]:
    asked = {"session_id": None, "before": None, "limit": 100, **more}
    return numbers(await table.turns(user, **asked))  # type: ignore[arg-type]


async def test_a_row_tells_what_the_event_told(table: PostgresTurnTable) -> None:
    event = saved(7, "Où est Mira? 🐝", "À Lisbonne.", keywords=["où", "mira's"], quoted=True, quality=0.875)
    await table.upsert([event])

    assert await row_of(table, "t7") == TurnRow(
        turn_id="t7",
        turn_number=7,
        session_id="kitchen",
        at=AT,
        topic="hello",
        intent="greeting",
        keywords=["où", "mira's"],
        quality=0.875,
        model="extractive",
        recipe="direct",
        input="Où est Mira? 🐝",
        output="À Lisbonne.",
        quoted=True,
    )


async def test_a_row_keeps_what_images_show_beside_the_users_words(table: PostgresTurnTable) -> None:
    seen = SeenImage(file_id="a", name="cat\0.png", description="A grey cat.")
    unseen = SeenImage(file_id="b", name="b", problem="there is no file b")
    await table.upsert([saved(7, "What is this?", images=[seen, unseen]), saved(8)])

    row = await row_of(table, "t7")

    assert row.input == "What is this?"
    assert [image.name for image in row.images] == ["cat\ufffd.png", "b"]
    assert row.said == (
        "What is this?\n\n[Image cat\ufffd.png: A grey cat.]\n\n[Image b: not seen, there is no file b]"
    )
    assert (await table.neighbours("alice", ["t8"]))[0].images == row.images


async def test_a_row_names_its_folder_and_its_point(table: PostgresTurnTable, database: str) -> None:
    """Seed 003's columns, for whoever reads the table with SQL."""
    await table.upsert([saved(7)])

    connection = await asyncpg.connect(database)
    row = await connection.fetchrow("SELECT turn_dir, embedding_id, keywords FROM pandora.turns")
    await connection.close()

    assert tuple(row) == ("turn_000007", point_id_of("alice", "kitchen", "t7:user"), '["hello"]')


async def test_a_turn_written_twice_is_one_row(table: PostgresTurnTable) -> None:
    await table.upsert([saved(1, "first"), saved(2)])
    await table.upsert([saved(1, "again"), saved(3)])

    assert await table.count() == (3, 3)
    assert (await row_of(table, "t1")).input == "first", "what is written is never changed"


async def test_the_same_turn_twice_in_one_batch_is_one_row(table: PostgresTurnTable) -> None:
    await table.upsert([saved(1), saved(1)])

    assert await table.count() == (1, 1)


async def test_the_same_turns_written_by_two_indexers_at_once_are_one_row_each(
    table: PostgresTurnTable,
) -> None:
    turns = [saved(n) for n in range(1, 21)]

    await asyncio.gather(table.upsert(turns), table.upsert(turns[::-1]), table.upsert(turns))

    assert await table.count() == (20, 20)


async def test_a_number_that_another_turn_has_is_poison_and_changes_nothing(table: PostgresTurnTable) -> None:
    await table.upsert([saved(1)])

    with pytest.raises(Poison, match="turn_number"):
        await table.upsert([saved(2), saved(1, turn_id="another")])

    assert await page(table) == [1]


@pytest.mark.parametrize("number", [2**63, -(2**70)])
async def test_a_number_too_large_is_poison(table: PostgresTurnTable, number: int) -> None:
    with pytest.raises(Poison):
        await table.upsert([saved(number)])


async def test_the_one_character_that_postgres_cannot_hold_is_replaced(table: PostgresTurnTable) -> None:
    await table.upsert([saved(1, "a\0b", "c\0d", topic="e\0f", keywords=["g\0h"])])

    row = await row_of(table, "t1")
    assert (row.input, row.output, row.topic, row.keywords) == (
        "a\ufffdb",
        "c\ufffdd",
        "e\ufffdf",
        ["g\ufffdh"],
    )


async def test_a_turn_of_a_hundred_thousand_words_is_stored(table: PostgresTurnTable) -> None:
    await table.upsert([saved(1, "word " * 100_000)])

    assert len((await row_of(table, "t1")).input) == 500_000


async def test_nothing_written_is_nothing_found(table: PostgresTurnTable) -> None:
    await table.upsert([])

    assert await table.count() == (0, 0)
    assert await page(table) == []
    assert await table.sessions("alice", limit=10) == []
    assert await table.neighbours("alice", ["t1"]) == []


async def test_pages_go_back_in_time_without_a_gap_and_without_a_repeat(table: PostgresTurnTable) -> None:
    await table.upsert(OF_ALICE + OF_BOB)

    assert await page(table, limit=4) == [9, 8, 7, 6]
    assert await page(table, limit=4, before=6) == [5, 4, 3, 2]
    assert await page(table, limit=4, before=2) == [1]
    assert await page(table, limit=4, before=1) == []


async def test_a_session_has_its_own_pages(table: PostgresTurnTable) -> None:
    await table.upsert(OF_ALICE + OF_BOB)

    assert await page(table, session_id="garden") == [9, 6, 3]
    assert await page(table, session_id="garden", before=9, limit=1) == [6]
    assert await page(table, session_id="nowhere") == []


async def test_neighbours_stand_right_before_and_after_in_the_same_session(table: PostgresTurnTable) -> None:
    """Kitchen: 1 2 4 5 7 8. Garden: 3 6 9."""
    await table.upsert(OF_ALICE + OF_BOB)

    assert numbers(await table.neighbours("alice", ["t4"])) == [2, 5]
    assert numbers(await table.neighbours("alice", ["t1"])) == [2]
    assert numbers(await table.neighbours("alice", ["t9"])) == [6]
    assert numbers(await table.neighbours("alice", ["t4", "t5"])) == [2, 4, 5, 7]
    assert numbers(await table.neighbours("alice", ["t2", "t5"])) == [1, 4, 7], (
        "4 is beside both, and there once"
    )


async def test_sessions_are_told_latest_first_with_their_last_topic(table: PostgresTurnTable) -> None:
    await table.upsert(OF_ALICE)
    await table.upsert([saved(10, session_id="kitchen", topic="bees", saved_at=AT + timedelta(hours=1))])

    assert await table.sessions("alice", limit=10) == [
        SessionRow(
            session_id="kitchen",
            turns=7,
            first_at=AT + timedelta(minutes=1),
            last_at=AT + timedelta(hours=1),
            last_topic="bees",
        ),
        SessionRow(
            session_id="garden",
            turns=3,
            first_at=AT + timedelta(minutes=3),
            last_at=AT + timedelta(minutes=9),
            last_topic="hello",
        ),
    ]
    assert [row.session_id for row in await table.sessions("alice", limit=1)] == ["kitchen"]


async def test_nobody_sees_what_another_user_said(table: PostgresTurnTable) -> None:
    """Also where both call their session the same."""
    await table.upsert(OF_ALICE + OF_BOB)

    assert await page(table, "bob") == [21, 20]
    assert await page(table, "bob", session_id="garden") == []
    assert numbers(await table.neighbours("bob", ["t4", "t20"])) == [21]
    assert [(row.session_id, row.turns) for row in await table.sessions("bob", limit=10)] == [("kitchen", 2)]
    assert await page(table, "carol") == []


async def test_the_count_is_over_all_users(table: PostgresTurnTable) -> None:
    await table.upsert(OF_ALICE + OF_BOB)

    assert await table.count() == (11, 21)


# --- cancelled turns ---------------------------------------------------------------------------------------


def cancelled(number: int, said: str = "Stop", **more: Any) -> TurnCancelled:
    fields: dict[str, Any] = {
        "session_id": "kitchen",
        "user": "alice",
        "cancelled_at": AT,
        "input": said,
        "output": "I was about to",
        "recipe": "direct",
        "model": "extractive",
        **more,
    }
    return TurnCancelled(turn_id=f"t{number}", turn_number=number, **fields)


async def test_a_cancelled_turn_is_in_its_sessions_history_with_what_is_known_of_it(
    table: PostgresTurnTable,
) -> None:
    await table.upsert([saved(1), cancelled(2, "Tell me\0 all"), saved(3)])

    history = await table.turns("alice", session_id="kitchen", before=None, limit=10)

    assert [(row.turn_number, row.status) for row in history] == [
        (3, "saved"),
        (2, "cancelled"),
        (1, "saved"),
    ]
    assert history[1] == TurnRow(
        turn_id="t2",
        turn_number=2,
        session_id="kitchen",
        at=AT,
        topic="",
        intent="",
        keywords=[],
        quality=0.0,
        model="extractive",
        recipe="direct",
        input="Tell me\ufffd all",
        output="I was about to",
        quoted=False,
        status="cancelled",
    )


async def test_a_cancelled_turn_written_twice_is_one_row(table: PostgresTurnTable) -> None:
    await table.upsert([cancelled(1), cancelled(1)])
    await table.upsert([cancelled(1)])

    assert await page(table) == [1]


async def test_a_cancelled_turn_is_no_neighbour_and_not_counted(table: PostgresTurnTable) -> None:
    await table.upsert([saved(1), cancelled(2), saved(3), cancelled(4)])

    assert numbers(await table.neighbours("alice", ["t1"])) == [3]
    assert numbers(await table.neighbours("alice", ["t3"])) == [1]
    assert await table.count() == (2, 4)


async def test_a_session_counts_its_cancelled_turns_and_keeps_its_last_topic(
    table: PostgresTurnTable,
) -> None:
    later = AT + timedelta(minutes=5)
    await table.upsert([saved(1, topic="bees"), cancelled(2, cancelled_at=later)])
    await table.upsert([cancelled(3, session_id="garden")])

    sessions = {row.session_id: row for row in await table.sessions("alice", limit=10)}

    assert (sessions["kitchen"].turns, sessions["kitchen"].last_topic) == (2, "bees")
    assert sessions["kitchen"].last_at == later
    assert (sessions["garden"].turns, sessions["garden"].last_topic) == (1, "")


async def test_rows_of_an_older_version_are_saved_turns(empty_database: str, tmp_path: Path) -> None:
    shutil.copy(FOLDER / "0001_turns.sql", tmp_path)
    await migrate(empty_database, tmp_path)
    connection = await asyncpg.connect(empty_database)
    await connection.execute(
        "INSERT INTO pandora.turns VALUES (1, 't1', 'alice', 'kitchen', now(), 'hello', 'greeting', '[]',"
        " 0.5, 'turn_000001', gen_random_uuid(), 'direct', 'extractive', 'Hello', 'Hi', false)"
    )
    await connection.close()

    await migrate(empty_database)

    async with Database.connect(empty_database, connections=1, timeout=30) as connected:
        row = await row_of(PostgresTurnTable(connected), "t1")
    assert row.status == "saved"
