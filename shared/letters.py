"""Requests about dead letters: `deadletters.*`, answered by the orchestrator, over all users.

What a letter says of its message is written in `shared/dead_letters.py`.
"""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.replies import Request


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up, as the list has it."""

    sequence: int
    """Its name: the place in the stream DEAD, never reused."""
    durable: str
    """Who gave it up."""
    reason: str
    attempts: int
    subject: str
    """Where it was published first."""
    message_id: str
    """Empty where its sender gave none."""
    at: datetime
    """When it was given up."""


class ListDeadLettersReply(msgspec.Struct, frozen=True, kw_only=True):
    letters: list[DeadLetterRow]
    next_cursor: int | None = None


class ListDeadLetters(Request[ListDeadLettersReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: what was given up, oldest first; `after` is the cursor (a sequence)."""

    subject: ClassVar[str] = "deadletters.list"

    after: int = 0
    limit: int = 20


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter with everything that is known of it."""

    sequence: int
    durable: str
    reason: str
    attempts: int
    subject: str
    message_id: str
    at: datetime
    first_error: str
    last_error: str
    headers: dict[str, str]
    """The sender's."""
    body: str
    """Bytes that are no UTF-8 are shown as U+FFFD."""
    body_bytes: int
    """Its length as it came. A letter that holds less of it cannot be replayed."""


class ShowDeadLetter(Request[DeadLetter], frozen=True, kw_only=True):
    """anyone -> orchestrator: one dead letter; refused with 404 where there is none."""

    subject: ClassVar[str] = "deadletters.show"

    sequence: int


class DeadLetterSettled(msgspec.Struct, frozen=True, kw_only=True):
    """The letter is gone from DEAD."""

    sequence: int
    done: bool
    """False where it had been replayed or dropped before: nothing was changed."""


class ReplayDeadLetter(Request[DeadLetterSettled], frozen=True, kw_only=True):
    """anyone -> orchestrator: hand the message to its durable once more, and remove the letter.

    Asked twice it is handed over once. Refused with 404 where there never was such a letter, with 409 where
    it cannot be replayed.
    """

    subject: ClassVar[str] = "deadletters.replay"

    sequence: int


class DropDeadLetter(Request[DeadLetterSettled], frozen=True, kw_only=True):
    """anyone -> orchestrator: remove the letter for good; 404 as for a replay."""

    subject: ClassVar[str] = "deadletters.drop"

    sequence: int
