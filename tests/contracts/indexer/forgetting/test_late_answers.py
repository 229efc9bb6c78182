"""Turns that were being stored when they, or their answers, were forgotten, over a real PostgreSQL."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import pytest

from services.indexer.forgetting.arrivals import Arrivals
from services.indexer.forgetting.debts import OWED_BY_TURNS
from services.indexer.forgetting.late_events import LateEvents
from services.indexer.forgetting.postgres.arrivals import PostgresArrivals
from services.indexer.forgetting.postgres.debts import PostgresDebts
from services.indexer.forgetting.postgres.forgotten import PostgresForgotten
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.passages.message import messages_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.contract.events import Event, ForgetRequested, TurnSaved
from shared.contract.requests import ClearAnswers
from tests.unit.samples import saved

CODE = saved(1, "What is my code?", "It is Oblongata.", keywords=["oblongata", "code"])
OTHER = saved(2)


class Rows:
    """The indexer's rows alone, without points."""

    def __init__(self, database: Database) -> None:
        self.forgotten = PostgresForgotten(database)
        self.arrivals = Arrivals(PostgresArrivals(database, ["OUTCOMES"]), none_stored)
        self.debts = PostgresDebts(database)
        self.messages = PostgresMessageTable(database)
        self.turns = PostgresTurnTable(database)

    async def store(self, events: Sequence[TurnSaved]) -> Sequence[Event]:
        await self.messages.add([message for event in events for message in messages_of(event)])
        await self.turns.upsert(events)
        return []

    async def forget(self, order: ForgetRequested) -> None:
        await self.forgotten.note(order)
        await self.forgotten.remove(order)

    async def clear_answers(self, request: ClearAnswers) -> None:
        await self.forgotten.clear_answers(request.user, request.turn_ids)

    async def outputs(self) -> dict[str, str]:
        rows = await self.turns.turns("alice", session_id=None, before=None, limit=100)
        return {row.turn_id: row.output for row in rows if row.status == "saved"}


async def never(stream: str, number: int) -> None:
    raise AssertionError("nothing is erased from a stream here")


async def none_stored(stream: str, number: int, at: datetime) -> bool:
    return False


@pytest.fixture
async def rows(database: str) -> AsyncIterator[Rows]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield Rows(pool)


def clear(rows: Rows) -> Coroutine[Any, Any, object]:
    return rows.clear_answers(ClearAnswers(user="alice", turn_ids=["t1"]))


def forget(rows: Rows) -> Coroutine[Any, Any, object]:
    return rows.forget(
        ForgetRequested(forget_id="f1", user="alice", scope="turn", target="t1", requested_at=CODE.saved_at)
    )


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
@pytest.mark.parametrize(
    ("order", "left"), [(clear, {"t1": "", "t2": OTHER.output}), (forget, {"t2": OTHER.output})]
)
async def test_a_turn_that_comes_late_leaves_no_word_that_is_forgotten(
    rows: Rows, when: str, order: Callable[[Rows], Coroutine[Any, Any, object]], left: dict[str, str]
) -> None:
    late = LateEvents(rows.forgotten, rows.arrivals, rows, never)

    async def store(events: Sequence[TurnSaved]) -> Sequence[Event]:
        if when == "meanwhile":
            await order(rows)
        return await rows.store(events)

    if when == "before":
        await order(rows)
    await late.store_turns([CODE, OTHER], store)
    if when == "after":
        await order(rows)

    assert await rows.outputs() == left
    said = await rows.messages.get("alice", [one.point_id for one in messages_of(CODE)])
    assert not any("Oblongata" in message.text for message in said.values())
    assert {debt.store for debt in await rows.debts.owed()} >= set(OWED_BY_TURNS)
