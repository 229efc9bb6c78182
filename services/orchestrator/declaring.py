"""Declares the streams, at the start and whenever NATS has lost them, so that turn numbers go on rising."""

import asyncio
import contextlib
import logging
from typing import Protocol

import nats.errors
from nats.js.errors import NotFoundError

from services.orchestrator.settings import OrchestratorSettings
from shared.bus import Bus
from shared.declaring import declare_streams
from shared.errors import Refused, Transient
from shared.replies import Count
from shared.streams import TURNS

log = logging.getLogger(__name__)
_INDEXER_SECONDS = 20.0
_PAUSE_SECONDS = 0.2


class Numbered(Protocol):
    """Turn documents, as far as their numbers go; 0 where there are none."""

    async def highest_turn_number(self) -> int: ...


async def declare(bus: Bus, documents: Numbered, settings: OrchestratorSettings) -> None:
    """Brings every stream and durable to their declaration. Raises as `declare_streams` does."""
    await declare_streams(
        bus.jetstream,
        first_turn_number=await first_turn_number(bus, documents, settings.queue_limit_turns),
        queue_limit=settings.queue_limit_turns,
        replicas=settings.nats_replicas,
    )


async def first_turn_number(
    bus: Bus, documents: Numbered, queue_limit: int, *, patience_seconds: float = _INDEXER_SECONDS
) -> int:
    """Where numbers begin if NATS has lost its store. Raises Transient where NATS does not answer.

    Turns that were accepted and never written down had numbers too: at most as many as may wait. Where the
    documents are lost as well, the indexer is asked, for at most `patience_seconds`.
    """
    highest = await documents.highest_turn_number()
    if not highest and not await _has_queue(bus):
        highest = await _highest_indexed(bus, patience_seconds)
    return highest + queue_limit + 1 if highest else 1


async def _has_queue(bus: Bus) -> bool:
    try:
        await bus.jetstream.stream_info(str(TURNS.name))
    except NotFoundError:
        return False
    except (nats.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS does not say whether it has the queue: {error}") from error
    return True


async def _highest_indexed(bus: Bus, patience_seconds: float) -> int:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            while True:
                with contextlib.suppress(Transient, Refused):
                    return (await bus.ask(Count())).highest_turn_number
                await asyncio.sleep(_PAUSE_SECONDS)
    log.warning(
        "the indexer did not say within %g s which turn number is the highest; a NATS that holds nothing yet "
        "begins at 1. If turns were indexed before, their numbers will be given again",
        patience_seconds,
    )
    return 0
