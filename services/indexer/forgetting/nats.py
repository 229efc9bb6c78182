"""Erases messages from streams of JetStream."""

import nats.errors
import nats.js.errors
from nats.js.errors import APIError

from shared.bus.connection import Bus
from shared.contract.errors import Transient

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
