"""Declares the streams at the start, and again where NATS has lost them. Turn numbers go on rising."""

import asyncio
import contextlib
import logging
from typing import Protocol

import nats.errors
from nats.js.errors import NotFoundError
from tenacity import wait_fixed

from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.streams import TURNS
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Count
from shared.process.retrying import Retry

log = logging.getLogger(__name__)
_INDEXER_SECONDS = 20.0
_UNTIL_ANSWERED = Retry(on=(Transient, Refused), wait=wait_fixed(0.2))


class Numbered(Protocol):
    async def highest_turn_number(self) -> int:
        """Of the turns that have documents; 0 where there are none."""
        ...


async def declare(bus: Bus, documents: Numbered, *, queue_limit: int, replicas: int) -> None:
    """Brings every stream and durable to their declaration. Raises as `declare_streams` does."""
    await declare_streams(
        bus.jetstream,
        first_turn_number=await first_turn_number(bus, documents, queue_limit),
        queue_limit=queue_limit,
        replicas=replicas,
    )


async def first_turn_number(
    bus: Bus, documents: Numbered, queue_limit: int, *, patience_seconds: float = _INDEXER_SECONDS
) -> int:
    """The first number of a new stream of turns: above every number that was given before.

    Turns that were accepted and never written down had numbers too: at most `queue_limit` of them. Where the
    documents are lost as well, the indexer is asked, for at most `patience_seconds`. Raises Transient where
    NATS does not answer.
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
            return (await _UNTIL_ANSWERED(bus.ask, Count(estimate=True))).highest_turn_number
    log.warning(
        "the indexer did not say within %g s which turn number is the highest; a NATS that holds nothing yet "
        "begins at 1. If turns were indexed before, their numbers will be given again",
        patience_seconds,
    )
    return 0
