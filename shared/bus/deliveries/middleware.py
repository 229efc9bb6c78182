"""The form of our FastStream middlewares."""

from typing import Any

from faststream import BaseMiddleware
from faststream.nats import NatsMessage


class SharedMiddleware(BaseMiddleware[Any, Any]):
    """One object for all messages of a subscriber. FastStream's own are made anew for each message."""

    def __init__(self) -> None:
        """Not FastStream's: no message is known here."""

    def __call__(self, message: Any, /, *, context: Any) -> "SharedMiddleware":
        return self


def sequence_of(message: NatsMessage) -> int:
    """The message's place in its stream."""
    return message.raw_message.metadata.sequence.stream
