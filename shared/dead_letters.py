"""Dead letters: messages that were given up, each with its reason, kept in DEAD until a person decides.

`dead.<durable>` holds the body as it came and the sender's headers; the headers named here say what happened.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import msgspec

from shared import metrics
from shared.bus import Bus

MESSAGE_ID: Final = "Nats-Msg-Id"
REASON: Final = "Pandora-Reason"
ATTEMPTS: Final = "Pandora-Attempts"
FIRST_ERROR: Final = "Pandora-First-Error"
LAST_ERROR: Final = "Pandora-Last-Error"
DURABLE: Final = "Pandora-Durable"
SUBJECT: Final = "Pandora-Subject"
ORIGINAL_ID: Final = "Pandora-Message-Id"
CUT_FROM: Final = "Pandora-Cut-From-Bytes"
"""Only where the message left no room for its reason: how long the body was before its end was cut off."""
_KEPT_IN_REPLAYS = (SUBJECT, ORIGINAL_ID)
"""So that a letter which is given up again still says where it came from."""

_SENDABLE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""Names that a client may send: other clients than nats-py let others pass."""
_LONGEST_TEXT = 1000
_MESSAGES_REMEMBERED = 10_000


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A message that nobody tries again."""

    durable: str
    sequence: int
    """Its place in the stream that it came from."""
    subject: str
    body: bytes
    headers: Mapping[str, str] = {}
    reason: str
    attempts: int = 1
    first_error: str = ""
    last_error: str = ""


async def bury(bus: Bus, message: GivenUp) -> None:
    """Stores the dead letter; the same message twice is one letter. Raises Transient where NATS is away."""
    body, headers = letter_of(message, room=bus.connection.max_payload)
    await bus.store(f"dead.{message.durable}", body, headers)
    metrics.dead_letters.labels(message.durable).inc()


def letter_of(message: GivenUp, *, room: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the letter, together at most `room` bytes.

    A message may be as large as the server takes; its letter is larger. Then the sender's headers go, and
    the end of the body where that is not enough: a letter without a reason would help nobody.
    """
    sent = {
        name: value
        for name, value in message.headers.items()
        if _SENDABLE.fullmatch(name) and not name.lower().startswith("nats-")
    }
    told = {
        MESSAGE_ID: f"{message.durable}:{message.sequence}",
        REASON: _one_line(message.reason),
        ATTEMPTS: str(message.attempts),
        FIRST_ERROR: _one_line(message.first_error or message.reason),
        LAST_ERROR: _one_line(message.last_error or message.reason),
        DURABLE: message.durable,
        SUBJECT: _one_line(sent.get(SUBJECT, message.subject)),
        ORIGINAL_ID: _one_line(sent.get(ORIGINAL_ID, message.headers.get(MESSAGE_ID, ""))),
    }
    if _bytes_of(sent | told) + len(message.body) <= room:
        return message.body, sent | told
    if _bytes_of(told) + len(message.body) > room:
        told[CUT_FROM] = str(len(message.body))
    return message.body[: room - _bytes_of(told)], told


def headers_of_replay(letter: Mapping[str, str], durable: str, sequence: int) -> dict[str, str]:
    """The sender's headers again. The message id is the letter's own, so that two replays are stored once."""
    kept = {
        name: value
        for name, value in letter.items()
        if not name.lower().startswith(("nats-", "pandora-")) or (name in _KEPT_IN_REPLAYS and value)
    }
    return kept | {MESSAGE_ID: f"{durable}:replay:{sequence}"}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_TEXT]


def _bytes_of(headers: Mapping[str, str]) -> int:
    """On the wire: `NATS/1.0`, a line for each, an empty line."""
    return 12 + sum(len(name.encode()) + len(value.encode()) + 4 for name, value in headers.items())


class Trouble(msgspec.Struct, kw_only=True):
    """What went wrong with one message so far."""

    attempts: int = 0
    errors: int = 0
    """Attempts that ended in an error, and not because something outside was away."""
    first_error: str = ""
    last_error: str = ""


class Troubles:
    """The troubles of the messages that one process has in hand; the latest ten thousand of them.

    The stream's own count of deliveries would not do: it also rises where a message was handed back at a
    stop. What another process went through, or this one before its start, is not counted.
    """

    def __init__(self) -> None:
        self._by_sequence: OrderedDict[int, Trouble] = OrderedDict()

    def note(self, sequence: int, error: str, *, is_transient: bool) -> Trouble:
        error = error[:_LONGEST_TEXT]
        trouble = self._by_sequence.setdefault(sequence, Trouble(first_error=error))
        self._by_sequence.move_to_end(sequence)
        trouble.attempts += 1
        trouble.errors += not is_transient
        trouble.last_error = error
        if len(self._by_sequence) > _MESSAGES_REMEMBERED:
            self._by_sequence.popitem(last=False)
        return trouble

    def forget(self, sequence: int) -> None:
        self._by_sequence.pop(sequence, None)
