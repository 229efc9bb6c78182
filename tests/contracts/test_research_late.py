"""What is forgotten and comes late, or is forgotten while it is written, over a real nats-server."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

import nats.js.errors
import pytest

from services.indexer.adapters.nats_late import erase_message
from services.indexer.consumers import Consumers
from shared.bus import Bus
from shared.deliveries import consuming
from shared.events import Event, ResearchSaved, SourceObserved
from tests.contracts.nats_server import bus_to
from tests.unit.samples import AT, fetched

PATIENCE = 30.0


class Indexer:
    """Forgetting, research and sources in one; `answers` says of each look whether it is forgotten."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.steps: list[str] = []

    async def is_forgotten(self, event: Event, stored_at: datetime) -> bool:
        self.steps.append("look")
        return self._answers.pop(0)

    async def on_research_saved(self, event: ResearchSaved) -> Sequence[Event]:
        self.steps.append(f"keep {event.research_id}")
        return []

    async def forget_page(self, user: str, research_id: str) -> None:
        self.steps.append(f"forget {research_id} of {user}")

    async def on_source_observed(self, event: SourceObserved) -> Sequence[Event]:
        self.steps.append(f"count {event.observation_id}")
        return []


async def handled(url: str, indexer: Indexer, event: Event, ended: Callable[[], bool]) -> list[str]:
    async with bus_to(url, "indexer") as own, asyncio.timeout(PATIENCE):
        await own.publish(event)
        consumers = Consumers(own, cast(Any, indexer), partial(erase_message, own))
        taking = [consumers.pages(cast(Any, indexer)), consumers.observations(cast(Any, indexer))]
        async with consuming(own, *taking):
            while not ended():  # noqa: ASYNC110 - a process has no event
                await asyncio.sleep(0.02)
    return indexer.steps


async def is_stored(bus: Bus) -> bool:
    try:
        await bus.jetstream.get_msg("RESEARCH", 1)
    except nats.js.errors.NotFoundError:
        return False
    return True


@pytest.mark.parametrize(
    ("answers", "steps", "stays"),
    [
        ([False, False], ["look", "keep r1", "look"], True),
        ([True], ["look"], False),
        ([False, True], ["look", "keep r1", "look", "forget r1 of alice"], False),
    ],
)
async def test_a_page_stays_unless_it_is_forgotten_before_or_meanwhile(
    url: str, bus: Bus, answers: list[bool], steps: list[str], stays: bool
) -> None:
    indexer = Indexer(*answers)

    assert await handled(url, indexer, fetched(1, "Bees"), lambda: len(indexer.steps) == len(steps)) == steps
    assert await is_stored(bus) is stays


@pytest.mark.parametrize(("forgotten", "steps"), [(False, ["look", "count o1"]), (True, ["look"])])
async def test_what_a_forgotten_turn_asked_is_not_counted_and_not_kept(
    url: str, bus: Bus, forgotten: bool, steps: list[str]
) -> None:
    indexer = Indexer(forgotten)
    event = SourceObserved(
        observation_id="o1", user="alice", domain="bees.example.org", ok=True, at=AT, turn_id="t7"
    )

    assert await handled(url, indexer, event, lambda: len(indexer.steps) == len(steps)) == steps
    assert await is_stored(bus) is not forgotten
