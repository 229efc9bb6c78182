"""Which stored events the indexer takes, and which part stores them."""

from collections.abc import Sequence
from typing import Any

from services.indexer.app.parts import Parts
from services.indexer.caching.replies import Caching
from services.indexer.settings import IndexerSettings
from shared.bus.connection import Bus
from shared.bus.deliveries import Batches, Consumer, Delivery, Handler
from shared.bus.durables import (
    INDEXER_MEMORY_EXTRACTED,
    INDEXER_MEMORY_SAVED,
    INDEXER_RESEARCH_SAVED,
    INDEXER_SOURCE_OBSERVED,
    INDEXER_TURN_CANCELLED,
    INDEXER_TURN_SAVED,
    Durable,
)
from shared.contract.events import Event, ResearchSaved, TurnCancelled, TurnSaved

_IN_HAND = 16
"""Statements, pages and observations taken at once; they are written one after another."""


def turn_batches(settings: IndexerSettings, parts: Parts, caching: Caching) -> Batches[TurnSaved]:
    async def store(events: Sequence[TurnSaved]) -> Sequence[Event]:
        follow_ups = await parts.turns.on_turns_saved(events)
        # These come last: a turn is found before they are counted.
        await parts.turns.count_uses(events)
        await parts.memories.note_uses(events)
        await parts.observability.on_turns_saved(events)
        return follow_ups

    async def take(events: Sequence[TurnSaved]) -> Sequence[Event]:
        try:
            return await parts.late_events.store_turns(events, store)
        finally:
            await caching.drop({event.user for event in events})

    return Batches(
        take,
        limit=settings.index_batch_turns,
        window_seconds=settings.index_batch_seconds,
    )


def consumers(
    settings: IndexerSettings, bus: Bus, parts: Parts, batches: Batches[TurnSaved], caching: Caching
) -> list[Consumer[Any]]:
    late, turns, memories, pages = parts.late_events, parts.turns, parts.memories, parts.pages

    async def forget_page(event: ResearchSaved) -> None:
        await pages.forget_page(event.user, event.research_id)

    async def store_cancelled(event: TurnCancelled) -> Sequence[Event]:
        follow_ups = await turns.on_turn_cancelled(event)
        await late.clear_answers([event])
        return follow_ups

    def consumer(durable: Durable[Any], store: Handler[Any], workers: int = _IN_HAND) -> Consumer[Any]:
        async def take(event: Any, delivery: Delivery) -> Sequence[Event]:
            try:
                return await store(event, delivery)
            finally:
                await caching.drop([event.user])

        return Consumer(bus, durable, take, workers=workers)

    return [
        Consumer(bus, INDEXER_TURN_SAVED, late.before_turns(batches), workers=4 * settings.index_batch_turns),
        consumer(
            INDEXER_TURN_CANCELLED,
            late.before(INDEXER_TURN_CANCELLED, store_cancelled, undo=late.forget_turn),
            settings.postgres_pool_connections,
        ),
        *(
            consumer(durable, late.before(durable, memories.on_memory_stated))
            for durable in (INDEXER_MEMORY_SAVED, INDEXER_MEMORY_EXTRACTED)
        ),
        consumer(
            INDEXER_RESEARCH_SAVED,
            late.before(INDEXER_RESEARCH_SAVED, pages.on_research_saved, undo=forget_page),
        ),
        consumer(
            INDEXER_SOURCE_OBSERVED, late.before(INDEXER_SOURCE_OBSERVED, parts.sources.on_source_observed)
        ),
    ]
