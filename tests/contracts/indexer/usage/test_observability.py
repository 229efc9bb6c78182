"""What is counted once over a real PostgreSQL: how domains did, and what turns took."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.indexer.forgetting.postgres.forgotten import PostgresForgotten
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.research.postgres.sources import PostgresSources
from services.indexer.research.sources import Sources
from services.indexer.usage.observability import Observability
from services.indexer.usage.postgres import PostgresObservability
from shared.contract.errors import Refused
from shared.contract.events import ForgetRequested, PhaseTiming, SourceObserved, Timings, TurnSaved
from shared.contract.requests import FigureName, GetObservability, GetSources, ObservedRow, SourceRow
from tests.unit.samples import saved

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
BEES = "bees.example.org"


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


def seen(number: int, *, ok: bool = True, at: datetime = NOW, reason: str = "") -> SourceObserved:
    return SourceObserved(
        observation_id=f"o{number}", user="alice", domain=BEES, ok=ok, at=at, reason=reason, turn_id="t7"
    )


async def bees(sources: Sources) -> SourceRow:
    (row,) = (await sources.get(GetSources(domains=[BEES]))).sources
    return row


# --- sources -----------------------------------------------------------------------------------------------


async def test_a_source_is_counted_once_however_often_it_is_observed(connected: Database) -> None:
    sources = Sources(PostgresSources(connected))
    events = [
        seen(1),
        seen(2, ok=False, at=NOW - DAY, reason="HTTP 503"),
        seen(3, ok=False, at=NOW - 2 * DAY, reason="timeout"),
        seen(4, at=NOW - 3 * DAY, reason="HTTP 200"),
    ]

    for event in [*events, *events]:
        await sources.on_source_observed(event)
    await asyncio.gather(*(sources.on_source_observed(event) for event in events))

    row = await bees(sources)
    assert (row.success_count, row.failure_count) == (2, 2)
    assert (row.last_success, row.last_failure) == (NOW, NOW - DAY)
    assert row.reliability_score == pytest.approx((2 + 1) / (4 + 2))
    assert row.notes == {"last_reason": "HTTP 503"}, "of the latest failure, in whatever order they come"


async def test_many_that_are_observed_at_once_are_all_counted(connected: Database) -> None:
    sources = Sources(PostgresSources(connected))

    await asyncio.gather(*(sources.on_source_observed(seen(n, ok=n % 5 > 0)) for n in range(40)))

    row = await bees(sources)
    assert (row.success_count, row.failure_count) == (32, 8)
    assert row.reliability_score == pytest.approx(33 / 42)


async def test_a_domain_that_nobody_asked_is_neither_good_nor_bad(connected: Database) -> None:
    sources = Sources(PostgresSources(connected))
    await sources.on_source_observed(seen(1))

    reply = await sources.get(GetSources(domains=["new.example.org", BEES]))

    assert [one.domain for one in reply.sources] == ["new.example.org", BEES]
    assert [one.reliability_score for one in reply.sources] == pytest.approx([0.5, 2 / 3])
    assert await sources.scores({"new.example.org"}) == {"new.example.org": 0.5}
    assert await sources.scores(set()) == {}


@pytest.mark.parametrize("count", [0, 101])
async def test_too_few_or_too_many_domains_are_refused(connected: Database, count: int) -> None:
    with pytest.raises(Refused, match="domains: name 1 to 100"):
        await Sources(PostgresSources(connected)).get(GetSources(domains=[BEES] * count))


# --- what turns took ---------------------------------------------------------------------------------------


def turn(number: int, seconds: float, *, at: datetime = NOW, recipe: str = "standard") -> TurnSaved:
    phase = PhaseTiming(
        phase="synthesis", seconds=seconds / 2, role="VOICE", model="qwen", output_tokens=10, calls=1
    )
    timings = Timings(total_seconds=seconds)
    return saved(number, recipe=recipe, model="qwen", phases=[phase], timings=timings, saved_at=at)


async def told(observing: Observability, days: int = 7, name: FigureName | None = None) -> list[ObservedRow]:
    return (await observing.get(GetObservability(days=days, name=name))).rows


async def test_a_turn_is_added_up_once_however_often_it_is_saved(connected: Database) -> None:
    observing = Observability(PostgresObservability(connected))
    turns = [turn(n, n / 10) for n in range(1, 101)]

    await observing.on_turns_saved(turns[:60])
    await observing.on_turns_saved([*turns[40:], *turns[40:]])
    await asyncio.gather(*(observing.on_turns_saved(turns[n::5]) for n in range(5)))

    (whole,) = await told(observing, name="turn_seconds")
    assert (whole.day, whole.recipe, whole.phase, whole.model) == (NOW.date(), "standard", "", "qwen")
    assert whole.count == 100
    assert whole.sum == pytest.approx(505.0)
    assert whole.p50 == pytest.approx(5.0, rel=0.08)
    assert whole.p95 == pytest.approx(9.5, rel=0.08)
    (phase,) = await told(observing, name="phase_seconds")
    assert (phase.phase, phase.role, phase.model, phase.count) == ("synthesis", "VOICE", "qwen", 100)
    assert phase.sum == pytest.approx(252.5)
    of_phase = [row for row in await told(observing, name="output_tokens") if row.phase]
    assert [(row.count, row.sum, row.p50) for row in of_phase] == [(100, 1000.0, 10.0)]


async def test_two_writers_of_the_same_days_lose_nothing(connected: Database) -> None:
    observing = Observability(PostgresObservability(connected))
    turns = [turn(n, 1.0, at=NOW - n % 3 * DAY, recipe=f"r{n % 2}") for n in range(1, 61)]

    await asyncio.gather(*(observing.on_turns_saved(turns[n::10]) for n in range(10)))

    rows = await told(observing, name="turn_seconds")
    assert sum(row.count for row in rows) == 60
    assert [row.day for row in rows] == sorted((row.day for row in rows), reverse=True)


async def test_only_the_days_that_were_asked_for_are_told(connected: Database) -> None:
    observing = Observability(PostgresObservability(connected))
    await observing.on_turns_saved([turn(n + 1, 1.0, at=NOW - n * DAY) for n in range(10)])

    assert len(await told(observing, days=1, name="quality")) == 1
    assert len(await told(observing, days=7, name="quality")) == 7
    assert len(await told(observing, days=366, name="quality")) == 10
    assert await told(observing, name="first_token_seconds") == []
    assert {row.name for row in await told(observing, days=1)} > {"turn_seconds", "calls", "retries"}


@pytest.mark.parametrize("days", [0, 367])
async def test_days_that_cannot_be_asked_for_are_refused(connected: Database, days: int) -> None:
    with pytest.raises(Refused, match="must be between 1 and 366"):
        await Observability(PostgresObservability(connected)).get(GetObservability(days=days))


async def test_a_strange_name_stops_no_turn(connected: Database) -> None:
    observing = Observability(PostgresObservability(connected))

    await observing.on_turns_saved([turn(1, 1.0, recipe="\0 ")])

    assert {row.recipe for row in await told(observing)} == {"\N{REPLACEMENT CHARACTER} "}


async def test_the_sums_stay_when_a_turn_is_forgotten_and_its_id_goes(connected: Database) -> None:
    observing, event = Observability(PostgresObservability(connected)), turn(1, 1.0)
    await PostgresTurnTable(connected).upsert([event])
    await observing.on_turns_saved([event])
    order = ForgetRequested(forget_id="f1", user="alice", scope="turn", target="t1", requested_at=NOW)

    await PostgresForgotten(connected).remove(order)

    assert await connected.fetch("SELECT id FROM pandora.counted") == []
    assert [row.count for row in await told(observing, name="turn_seconds")] == [1]


async def test_what_no_stream_can_deliver_again_need_not_be_known(connected: Database) -> None:
    table = PostgresObservability(connected)
    await table.add([turn(1, 1.0), turn(2, 1.0)])
    await connected.fetch(
        "UPDATE pandora.counted SET counted_at = now() - interval '61 days' WHERE id = 't1'"
    )

    await table.forget_counted()

    assert [record["id"] for record in await connected.fetch("SELECT id FROM pandora.counted")] == ["t2"]
