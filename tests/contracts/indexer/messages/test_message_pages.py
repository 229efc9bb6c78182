"""The messages of a user, read page by page from a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.indexer.messages.exports import MessageExport
from services.indexer.messages.postgres.exports import PostgresMessagePages
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.passages.message import Message
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.contract.requests import HeldMessage, ListMessages

AT = datetime(2026, 3, 5, 10, tzinfo=UTC)


@pytest.fixture
async def database_at(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as connected:
        yield connected


async def store(database: Database, *names: tuple[str, str, str], text: str = "said") -> None:
    """Of (user, session, message id)."""
    await PostgresMessageTable(database).add(
        [
            Message(
                user=user,
                session_id=session,
                message_id=name,
                speaker="Mira",
                role="other",
                text=f"{text} {name}",
                at=AT,
            )
            for user, session, name in names
        ]
    )


async def everything(database: Database, user: str) -> tuple[list[HeldMessage], int]:
    messages: list[HeldMessage] = []
    request, pages = ListMessages(user=user), 0
    while True:
        reply = await MessageExport(PostgresMessagePages(database)).list_messages(request)
        messages += reply.messages
        pages += 1
        if not reply.more:
            return messages, pages
        last = messages[-1]
        request = ListMessages(user=user, after_session=last.session_id, after_ordinal=last.ordinal)


async def test_every_message_comes_once_by_session_and_place(database_at: Database) -> None:
    sessions = ["kitchen", "Garden", "É té", "a b"]
    names = [(session, f"m{number}") for number in range(301) for session in sessions]
    await store(database_at, *(("alice", *name) for name in names), ("bob", "kitchen", "theirs"))

    messages, pages = await everything(database_at, "alice")

    assert pages == 3
    assert sorted((one.session_id, one.message_id) for one in messages) == sorted(names)
    for session in sessions:
        held = [one for one in messages if one.session_id == session]
        assert [one.message_id for one in held] == [f"m{number}" for number in range(301)]
        assert [one.ordinal for one in held] == list(range(301))
    assert messages[0].at == AT
    assert messages[0].speaker == "Mira"


async def test_a_page_of_long_messages_ends_before_it_is_too_large_for_nats(database_at: Database) -> None:
    await store(database_at, *(("alice", "s", f"m{number}") for number in range(6)), text="\x01" * 100_000)

    messages, pages = await everything(database_at, "alice")

    assert len(messages) == 6
    assert pages == 6


async def test_of_whom_nothing_is_held_the_page_is_empty(database_at: Database) -> None:
    assert await everything(database_at, "nobody") == ([], 1)
