"""Erases messages from streams of JetStream."""

from datetime import datetime, timedelta

import nats.errors
import nats.js.errors
from nats.js.errors import APIError

from shared.bus.connection import Bus
from shared.contract.errors import Transient

_SAME_TIME = timedelta(milliseconds=10)
"""The server counts nanoseconds, and its two answers round them differently."""
_NO_MESSAGE = (10037, 10043, 10057)
"""Error codes of JetStream: the message is gone already."""


async def erase_message(bus: Bus, stream: str, sequence: int) -> None:
    """The server overwrites its bytes. Raises Transient."""
    try:
        await bus.jetstream.delete_msg(stream, sequence)
    except APIError as error:
        if error.err_code not in _NO_MESSAGE:
            raise Transient(f"NATS did not erase a message: {error.description}") from error
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise Transient("NATS does not answer while a message is erased") from error


async def erase_stored(bus: Bus, stream: str, sequence: int, stored_at: datetime) -> bool:
    """Erases the message that was stored at that time. False where there is none. Raises Transient."""
    try:
        message = await bus.jetstream.get_msg(stream, sequence)
    except nats.js.errors.NotFoundError:
        return False
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise Transient("NATS does not answer while a message is erased") from error
    if message.time is None or abs(message.time - stored_at) > _SAME_TIME:
        return False
    await erase_message(bus, stream, sequence)
    return True
