"""Dead letters: messages that were given up, each with its reason, kept in DEAD until a person decides.

A dead letter has the body as it came, the sender's headers, and headers that say what happened.
"""

import re
from collections.abc import Mapping

import msgspec

from shared.bus.connection import Bus
from shared.contract.headers import (
    ATTEMPTS,
    CUT_FROM,
    DURABLE,
    FIRST_ERROR,
    LAST_ERROR,
    MESSAGE_ID,
    ORIGINAL_ID,
    REASON,
    SUBJECT,
)
from shared.contract.subjects import DEAD_LETTERS
from shared.process import metrics

_KEPT_IN_REPLAYS = (SUBJECT, ORIGINAL_ID)
"""A replay that is given up again still says where its message came from."""

_SENDABLE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""Names of headers that nats-py can send. Other clients send others as well."""
_LONGEST_TEXT = 1000


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is not tried again."""

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


async def store_dead_letter(bus: Bus, message: GivenUp) -> None:
    """Stores the dead letter. The same message again is the same dead letter. Raises Transient."""
    body, headers = dead_letter_of(message, room=bus.connection.max_payload)
    await bus.store(DEAD_LETTERS.format(durable=message.durable), body, headers)
    metrics.dead_letters.labels(message.durable).inc()


def dead_letter_of(message: GivenUp, *, room: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the dead letter, together at most `room` bytes.

    A message may be as large as the server takes. Its dead letter is larger. Then the sender's headers are
    left out, and where that is not enough the end of the body. The reason is always there.
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
    """The sender's headers, with a message id made of the dead letter: two replays are stored once."""
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
