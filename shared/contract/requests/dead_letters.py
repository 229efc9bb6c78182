"""Dead letters, of all users: the gateway lets only admins ask. The orchestrator answers."""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.contract.requests.request import Request


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up, as the list has it."""

    sequence: int
    """Its name: its place in the stream DEAD. Never used again."""
    durable: str
    """The durable that gave it up."""
    reason: str
    """Why it was given up."""
    attempts: int
    """How often it was tried."""
    subject: str
    """Where it was published first."""
    message_id: str
    """The message id that it was published with. Empty where its sender gave none."""
    at: datetime
    """When it was given up."""


class ListDeadLettersReply(msgspec.Struct, frozen=True, kw_only=True):
    letters: list[DeadLetterRow]
    """Oldest first."""
    next_cursor: int | None = None
    """`after` of the next page; null: that was all."""


class ListDeadLetters(Request[ListDeadLettersReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: what was given up, oldest first, a page at a time."""

    subject: ClassVar[str] = "deadletters.list"

    after: int = 0
    """The `next_cursor` of the page before."""
    limit: int = 20
    """Most letters, 1 to 100. A page of large letters is shorter."""


class DeadLetter(DeadLetterRow, frozen=True, kw_only=True):
    """A dead letter with everything that is known of it."""

    first_error: str
    """What went wrong the first time."""
    last_error: str
    """What went wrong the last time."""
    headers: dict[str, str]
    """The sender's."""
    body: str
    """The message as it came. Bytes that are no UTF-8 are shown as U+FFFD."""
    body_bytes: int
    """The length of the message as it came. A letter that has less of it cannot be replayed."""


class ShowDeadLetter(Request[DeadLetter], frozen=True, kw_only=True):
    """anyone -> orchestrator: one dead letter. Refused with 404 where there is none."""

    subject: ClassVar[str] = "deadletters.show"

    sequence: int
    """The letter's place in the stream DEAD."""


class DeadLetterSettled(msgspec.Struct, frozen=True, kw_only=True):
    """The letter is gone from DEAD."""

    sequence: int
    """The letter's place in the stream DEAD."""
    done: bool
    """False where it had been replayed or dropped before: nothing was changed."""


class ReplayDeadLetter(Request[DeadLetterSettled], frozen=True, kw_only=True):
    """anyone -> orchestrator: give the message to its durable once more, and remove the letter.

    Asked twice, it is given once. Refused with 404 where there never was such a letter, with 409 where it
    cannot be replayed.
    """

    subject: ClassVar[str] = "deadletters.replay"

    sequence: int
    """The letter's place in the stream DEAD."""


class DropDeadLetter(Request[DeadLetterSettled], frozen=True, kw_only=True):
    """anyone -> orchestrator: remove the letter for good. Refused with 404 as a replay is."""

    subject: ClassVar[str] = "deadletters.drop"

    sequence: int
    """The letter's place in the stream DEAD."""
