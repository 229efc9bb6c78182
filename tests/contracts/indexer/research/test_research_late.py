"""What is forgotten and comes late, or is forgotten while it is written, over a real nats-server."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import nats.js.errors
import pytest

from services.indexer.forgetting.arrivals import Arrival, Arrivals
from services.indexer.forgetting.late_events import LateEvents
from services.indexer.forgetting.nats import erase_message, erase_stored
from shared.bus.connection import Bus
from shared.bus.deliveries import Consumer, consuming
from shared.bus.durables import INDEXER_RESEARCH_SAVED, INDEXER_SOURCE_OBSERVED
from shared.contract.events import Event, ForgetRequested, ResearchSaved, SourceObserved
from tests.servers.nats import bus_to
from tests.unit.samples import AT, fetched

PATIENCE = 30.0
NOTE = "note [('RESEARCH', 1)]"


class Room:
    """Forgetting, pages and sources in one. `answers`: whether an event is forgotten, look by look."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.steps: list[str] = []

    async def add(self, arrivals: Sequence[Arrival]) -> None:
        self.steps.append(f"note {[(one.stream, one.sequence) for one in arrivals]}")

    async def covered(self, said: Sequence[object]) -> set[int]:
        self.steps.append("look")
        return {0} if self._answers.pop(0) else set()

    async def on_research_saved(self, event: ResearchSaved) -> Sequence[Event]:
        self.steps.append(f"keep {event.research_id}")
        return []

    async def forget_page(self, event: ResearchSaved) -> None:
        self.steps.append(f"forget {event.research_id} of {event.user}")

    async def on_source_observed(self, event: SourceObserved) -> Sequence[Event]:
        self.steps.append(f"count {event.observation_id}")
        return []

    async def forget(self, order: ForgetRequested) -> None:
        raise AssertionError("no turn is forgotten here")


async def handled(url: str, room: Room, event: Event, ended: Callable[[], bool]) -> list[str]:
    async with bus_to(url, "indexer") as own, asyncio.timeout(PATIENCE):
        await own.publish(event)
        arrivals = Arrivals(cast(Any, room), partial(erase_stored, own))
        late = LateEvents(cast(Any, room), arrivals, cast(Any, room), partial(erase_message, own))
        pages = late.before(INDEXER_RESEARCH_SAVED, room.on_research_saved, undo=room.forget_page)
        sources = late.before(INDEXER_SOURCE_OBSERVED, room.on_source_observed)
        taking: list[Consumer[Any]] = [
            Consumer(own, INDEXER_RESEARCH_SAVED, pages, workers=4),
            Consumer(own, INDEXER_SOURCE_OBSERVED, sources, workers=4),
        ]
        async with consuming(own, *taking):
            while not ended():  # noqa: ASYNC110 - a process has no event
                await asyncio.sleep(0.02)
    return room.steps


async def is_stored(bus: Bus) -> bool:
    try:
        await bus.jetstream.get_msg("RESEARCH", 1)
    except nats.js.errors.NotFoundError:
        return False
    return True


@pytest.mark.parametrize(
    ("answers", "steps", "stays"),
    [
        ([False, False], [NOTE, "look", "keep r1", "look"], True),
        ([True], [NOTE, "look"], False),
        ([False, True], [NOTE, "look", "keep r1", "look", "forget r1 of alice"], False),
    ],
)
async def test_a_page_stays_unless_it_is_forgotten_before_or_meanwhile(
    url: str, bus: Bus, answers: list[bool], steps: list[str], stays: bool
) -> None:
    room = Room(*answers)

    assert await handled(url, room, fetched(1, "Bees"), lambda: len(room.steps) == len(steps)) == steps
    assert await is_stored(bus) is stays


@pytest.mark.parametrize(
    ("forgotten", "steps"), [(False, [NOTE, "look", "count o1"]), (True, [NOTE, "look"])]
)
async def test_what_a_forgotten_turn_asked_is_not_counted_and_not_kept(
    url: str, bus: Bus, forgotten: bool, steps: list[str]
) -> None:
    room = Room(forgotten)
    event = SourceObserved(
        observation_id="o1", user="alice", domain="bees.example.org", ok=True, at=AT, turn_id="t7"
    )

    assert await handled(url, room, event, lambda: len(room.steps) == len(steps)) == steps
    assert await is_stored(bus) is not forgotten
