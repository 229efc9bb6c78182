"""The messages that one process works on now."""

import asyncio
import contextlib
from typing import Any

from faststream.nats import NatsMessage
from nats.errors import Error as NatsError

from shared.bus.deliveries.middleware import SharedMiddleware, sequence_of


class InHand(SharedMiddleware):
    """Runs no message twice at the same time, and keeps the server from delivering it again meanwhile."""

    def __init__(self, ack_wait_seconds: float) -> None:
        super().__init__()
        self._ack_wait_seconds = ack_wait_seconds
        self._messages: dict[int, NatsMessage] = {}

    async def consume_scope(self, call_next: Any, message: Any) -> Any:
        sequence = sequence_of(message)
        if sequence in self._messages:
            return None  # It came again while it waited here for a worker. The one in hand is settled.
        self._messages[sequence] = message
        try:
            return await call_next(message)
        finally:
            del self._messages[sequence]

    async def keep_alive(self) -> None:
        """Tells the server, again and again, which messages are still being worked on. Never returns."""
        while True:
            await asyncio.sleep(self._ack_wait_seconds / 3)
            for message in list(self._messages.values()):
                with contextlib.suppress(NatsError):
                    await message.in_progress()
