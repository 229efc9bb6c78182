"""The one place that settles a message: acknowledges it, hands it back, or gives it up."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from typing import Any, Final

from faststream.nats import NatsMessage
from nats.errors import Error as NatsError

from shared.bus.connection import Bus
from shared.bus.dead_letters import GivenUp, store_dead_letter
from shared.bus.deliveries.middleware import SharedMiddleware, sequence_of
from shared.bus.deliveries.troubles import Trouble, Troubles
from shared.bus.durables import Durable
from shared.contract.errors import Poison, Refused, Transient
from shared.process import metrics

log = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 30.0
_MOST_DOUBLINGS: Final = 20


class Settlement(SharedMiddleware):
    """Acknowledges a message after all else is done, and decides what happens to one that failed."""

    def __init__(self, bus: Bus, durable: Durable[Any]) -> None:
        super().__init__()
        self._bus = bus
        self._durable = durable
        self._troubles = Troubles()

    async def consume_scope(self, call_next: Any, message: Any) -> Any:
        sequence = sequence_of(message)
        try:
            await call_next(message)
            await message.ack()
        except Poison as error:
            trouble = self._troubles.note(sequence, str(error), is_transient=False)
            await self._give_up(message, trouble, str(error))
        except Transient as error:
            trouble = self._troubles.note(sequence, str(error), is_transient=True)
            await self._wait_or_give_up(message, trouble, error.retry_in)
        except asyncio.CancelledError:
            with contextlib.suppress(NatsError):
                await message.nack()  # Handed back at a stop: another replica takes it at once.
            raise
        except Exception as error:
            metrics.errors.labels(self._durable.name).inc()
            log.exception("%s failed on message %d", self._durable.name, sequence)
            trouble = self._troubles.note(sequence, repr(error), is_transient=False)
            await self._wait_or_give_up(message, trouble, _RETRY_SECONDS)
        else:
            self._troubles.forget(sequence)

    async def _wait_or_give_up(self, message: NatsMessage, trouble: Trouble, retry_in: float) -> None:
        """Errors are counted. An outage is waited for, however many attempts it takes."""
        if trouble.errors >= self._durable.max_deliver:
            reason = f"given up after {trouble.attempts} attempts: {trouble.last_error}"
            await self._give_up(message, trouble, reason)
            return
        age = datetime.now(UTC) - message.raw_message.metadata.timestamp
        if age.total_seconds() > self._durable.patience_seconds:
            reason = f"not handled within {self._durable.patience_seconds:g} s: {trouble.last_error}"
            await self._give_up(message, trouble, reason)
            return
        log.warning(
            "%s tries message %d again: %s", self._durable.name, sequence_of(message), trouble.last_error
        )
        await self._hand_back(message, trouble, retry_in)

    async def _hand_back(self, message: NatsMessage, trouble: Trouble, retry_in: float) -> None:
        doublings = min(trouble.attempts - 1, _MOST_DOUBLINGS)
        with contextlib.suppress(NatsError):  # Without a connection the server redelivers after ack_wait.
            await message.nack(delay=min(retry_in * 2**doublings, _LONGEST_WAIT_SECONDS))

    async def _give_up(self, message: NatsMessage, trouble: Trouble, reason: str) -> None:
        raw, sequence = message.raw_message, sequence_of(message)
        letter = GivenUp(
            durable=self._durable.name,
            sequence=sequence,
            subject=raw.subject,
            body=raw.data,
            headers=raw.headers or {},
            reason=reason,
            attempts=trouble.attempts,
            first_error=trouble.first_error,
            last_error=trouble.last_error,
        )
        try:
            await store_dead_letter(self._bus, letter)
        except (Transient, Refused) as error:  # Not settled before its dead letter is stored.
            log.warning("%s cannot give message %d up now: %s", self._durable.name, sequence, error)
            await self._hand_back(message, trouble, _RETRY_SECONDS)
            return
        log.error("%s gives message %d up: %s", self._durable.name, sequence, reason)
        self._troubles.forget(sequence)
        with contextlib.suppress(NatsError):
            await message.reject()
