"""The list of conversations, of turns and imported, over a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.passages.message import Message
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from tests.unit.samples import AT, saved


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


def said(session_id: str, minutes: int, user: str = "alice") -> Message:
    return Message(
        user=user,
        session_id=session_id,
        message_id=f"m{minutes}",
        speaker="Mira",
        role="other",
        text="Something.",
        at=AT + timedelta(minutes=minutes),
    )


async def test_conversations_of_turns_and_of_imports_come_page_by_page(connected: Database) -> None:
    table = PostgresTurnTable(connected)
    await table.upsert([saved(n, session_id="garden", saved_at=AT + timedelta(minutes=n)) for n in (1, 2)])
    await PostgresMessageTable(connected).add(
        [said("../a", 5), said("../a", 30), said("b / c", 30), said("garden", 0), said("theirs", 9, "bob")]
    )

    async def listed(before: tuple[datetime, str] | None, session_id: str | None = None) -> list[object]:
        return list(await table.conversations("alice", session_id=session_id, before=before, limit=10))

    every = await table.conversations("alice", session_id=None, before=None, limit=10)

    assert [(one.session_id, one.turns, one.messages) for one in every] == [
        ("b / c", 0, 1),
        ("../a", 0, 2),
        ("garden", 2, 1),
    ]
    assert [(one.first_at - AT).seconds // 60 for one in every] == [30, 5, 0]
    assert [(one.last_at - AT).seconds // 60 for one in every] == [30, 30, 2]
    assert [one.last_topic for one in every] == ["", "", "hello"]
    for place, one in enumerate(every):
        assert await listed((one.last_at, one.session_id)) == every[place + 1 :]
        assert await listed(None, one.session_id) == [one]
