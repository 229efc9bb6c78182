"""Which stored events the indexer takes. What is forgotten and comes late is erased from its stream."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from services.indexer.forgetting import Forgetting
from services.indexer.handlers import Indexer
from services.indexer.memories import Memories
from services.indexer.research import Research
from services.indexer.sources import Sources
from shared.bus import Bus
from shared.deliveries import Batches, Consumer, Delivery, Handler
from shared.events import (
    Event,
    MemoryExtracted,
    MemorySaved,
    ResearchSaved,
    SourceObserved,
    TurnCancelled,
    TurnSaved,
)
from shared.streams import (
    INDEXER_MEMORY_EXTRACTED,
    INDEXER_MEMORY_SAVED,
    INDEXER_RESEARCH_SAVED,
    INDEXER_SOURCE_OBSERVED,
    INDEXER_TURN_CANCELLED,
    INDEXER_TURN_SAVED,
    Durable,
)

E = TypeVar("E", TurnCancelled, MemorySaved, MemoryExtracted, MemorySaved | MemoryExtracted, SourceObserved)
Erase = Callable[[str, int], Awaitable[None]]
"""Erases a message from a stream, by its number. Raises Transient."""
_IN_HAND = 16
"""Of statements, pages and observations at once; they are written one after another."""


class Consumers:
    """Makes the consumer of each durable."""

    def __init__(self, bus: Bus, forgetting: Forgetting, erase: Erase) -> None:
        self._bus = bus
        self._forgetting = forgetting
        self._erase = erase

    def turns(self, batches: Batches[TurnSaved], *, workers: int) -> Consumer[Any]:
        async def take(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
            if not (follow_ups := await batches(event, delivery)):
                await self._erase(INDEXER_TURN_SAVED.stream, delivery.sequence)
            return follow_ups

        return Consumer(self._bus, INDEXER_TURN_SAVED, TurnSaved, take, workers=workers)

    def cancelled(self, indexer: Indexer, *, workers: int) -> Consumer[Any]:
        durable = INDEXER_TURN_CANCELLED
        take = self._unless_forgotten(durable, indexer.on_turn_cancelled)
        return Consumer(self._bus, durable, TurnCancelled, take, workers=workers)

    def statements(self, memories: Memories) -> list[Consumer[Any]]:
        """Whoever states something that lasts, it is kept in the same way."""
        kinds: dict[Durable, type[MemorySaved] | type[MemoryExtracted]] = {
            INDEXER_MEMORY_SAVED: MemorySaved,
            INDEXER_MEMORY_EXTRACTED: MemoryExtracted,
        }
        return [
            Consumer(
                self._bus,
                durable,
                kind,
                self._unless_forgotten(durable, memories.on_memory_stated),
                workers=_IN_HAND,
            )
            for durable, kind in kinds.items()
        ]

    def pages(self, research: Research) -> Consumer[Any]:
        """What is forgotten while it is written goes again."""
        durable = INDEXER_RESEARCH_SAVED

        async def take(event: ResearchSaved, delivery: Delivery) -> Sequence[Event]:
            if not await self._forgetting.is_forgotten(event, delivery.stored_at):
                follow_ups = await research.on_research_saved(event)
                if not await self._forgetting.is_forgotten(event, delivery.stored_at):
                    return follow_ups
                await research.forget_page(event.user, event.research_id)
            await self._erase(durable.stream, delivery.sequence)
            return []

        return Consumer(self._bus, durable, ResearchSaved, take, workers=_IN_HAND)

    def observations(self, sources: Sources) -> Consumer[Any]:
        durable = INDEXER_SOURCE_OBSERVED
        take = self._unless_forgotten(durable, sources.on_source_observed)
        return Consumer(self._bus, durable, SourceObserved, take, workers=_IN_HAND)

    def _unless_forgotten(
        self, durable: Durable, handle: Callable[[E], Awaitable[Sequence[Event]]]
    ) -> Handler[E]:
        async def take(event: E, delivery: Delivery) -> Sequence[Event]:
            if not await self._forgetting.is_forgotten(event, delivery.stored_at):
                return await handle(event)
            await self._erase(durable.stream, delivery.sequence)
            return []

        return take
