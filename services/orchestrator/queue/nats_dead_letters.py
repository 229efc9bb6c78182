"""Dead letters in the stream DEAD: lists, shows, replays and drops them."""

import logging
from collections.abc import Awaitable
from datetime import datetime
from typing import Final, TypeVar

import nats.errors
import nats.js.errors
from nats.js.errors import APIError

from shared.bus.connection import Bus
from shared.bus.dead_letters import headers_of_replay
from shared.bus.durables import DURABLES, ORCHESTRATOR_TURN_REQUESTED
from shared.bus.endpoints import endpoint
from shared.bus.replay import Stored, read_page
from shared.bus.streams import DEAD
from shared.contract.derivation import derive
from shared.contract.errors import Refused, Transient
from shared.contract.headers import ATTEMPTS, CUT_FROM, FIRST_ERROR, LAST_ERROR, ORIGINAL_ID, REASON, SUBJECT
from shared.contract.requests.dead_letters import (
    DeadLetter,
    DeadLetterRow,
    DeadLetterSettled,
    DropDeadLetter,
    ListDeadLetters,
    ListDeadLettersReply,
    ReplayDeadLetter,
    ShowDeadLetter,
)

log = logging.getLogger(__name__)
R = TypeVar("R")
MOST_LETTERS = 100
_PAGE_BYTES = 4 * 1024 * 1024
"""The most that is read for one page of the list, with the letters' bodies."""
_LARGEST_SEQUENCE = 2**63 - 1
_READERS: Final = {reader.name: reader for reader in (ORCHESTRATOR_TURN_REQUESTED, *DURABLES)}


class BusDeadLetters:
    """Answers `deadletters.*`. Raises Transient while NATS does not answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    @endpoint
    async def list_letters(self, request: ListDeadLetters) -> ListDeadLettersReply:
        if not 1 <= request.limit <= MOST_LETTERS:
            raise Refused(422, f"limit is {request.limit}; it must be between 1 and {MOST_LETTERS}", "limit")
        if not 0 <= request.after < _LARGEST_SEQUENCE:
            raise Refused(422, "after is no sequence; use the next_cursor of the last page", "after")
        stored, more = await self._read(request.after + 1, request.limit)
        return ListDeadLettersReply(
            letters=[_row(one) for one in stored], next_cursor=stored[-1].sequence if more else None
        )

    @endpoint
    async def show(self, request: ShowDeadLetter) -> DeadLetter:
        stored = await self._find(request.sequence)
        if stored is None:
            raise await self._gone(request.sequence)
        return _letter(stored)

    @endpoint
    async def replay(self, request: ReplayDeadLetter) -> DeadLetterSettled:
        """Stores the message again and removes the letter after that.

        After a crash in between it may be replayed again: JetStream knows the replay's message id, and stores
        nothing.
        """
        stored = await self._find(request.sequence)
        if stored is None:
            return await self._settled_before(request.sequence)
        durable = _durable_of(stored)
        reader = _READERS.get(durable)
        if reader is None:
            raise Refused(409, f"this version has no durable {durable}; drop the letter, or replay it there")
        if CUT_FROM in stored.headers:
            raise Refused(
                409,
                f"letter {stored.sequence} holds only a part of its message, which left no room for the "
                "reason; publish the message again yourself, and drop the letter",
            )
        headers = headers_of_replay(stored.headers, durable, stored.sequence)
        await self._bus.store(reader.replay_subject or reader.subject, stored.body, headers)
        log.info("dead letter %d of %s is replayed", stored.sequence, durable)
        return await self._remove(stored.sequence)

    @endpoint
    async def drop(self, request: DropDeadLetter) -> DeadLetterSettled:
        if await self._find(request.sequence) is None:
            return await self._settled_before(request.sequence)
        log.info("dead letter %d is dropped", request.sequence)
        return await self._remove(request.sequence)

    async def _find(self, sequence: int) -> Stored | None:
        if not 0 < sequence <= _LARGEST_SEQUENCE:
            return None
        stored, _ = await self._read(sequence, limit=1)
        return stored[0] if stored and stored[0].sequence == sequence else None

    async def _read(self, first_sequence: int, limit: int) -> tuple[list[Stored], bool]:
        return await read_page(
            self._bus,
            str(DEAD.name),
            "dead.*",
            first_sequence=first_sequence,
            limit=limit,
            most_bytes=_PAGE_BYTES,
        )

    async def _remove(self, sequence: int) -> DeadLetterSettled:
        try:
            await _answered(self._bus.jetstream.delete_msg(str(DEAD.name), sequence))
        except APIError as error:
            if await self._find(sequence) is not None:
                raise Transient(f"NATS did not remove dead letter {sequence}: {error.description}") from error
            return DeadLetterSettled(sequence=sequence, done=False)  # Another process was faster.
        return DeadLetterSettled(sequence=sequence, done=True)

    async def _settled_before(self, sequence: int) -> DeadLetterSettled:
        """Raises Refused, 404, where there never was such a letter."""
        info = await _answered(self._bus.jetstream.stream_info(str(DEAD.name)))
        if not 0 < sequence <= info.state.last_seq:
            raise _no_such_letter(sequence)
        return DeadLetterSettled(sequence=sequence, done=False)

    async def _gone(self, sequence: int) -> Refused:
        await self._settled_before(sequence)
        return Refused(404, f"dead letter {sequence} was replayed or dropped; list the letters that are left")


async def _answered(call: Awaitable[R]) -> R:
    try:
        return await call
    except APIError:
        raise
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise Transient("NATS does not answer for the dead letters now") from error


def _no_such_letter(sequence: int) -> Refused:
    return Refused(404, f"there is no dead letter {sequence}; list the letters to see which there are")


def _row(stored: Stored) -> DeadLetterRow:
    headers = stored.headers
    return DeadLetterRow(
        sequence=stored.sequence,
        durable=_durable_of(stored),
        reason=headers.get(REASON, ""),
        attempts=_number(headers.get(ATTEMPTS, "")),
        subject=headers.get(SUBJECT, ""),
        message_id=headers.get(ORIGINAL_ID, ""),
        at=datetime.fromisoformat(headers["Nats-Time-Stamp"]),
    )


def _letter(stored: Stored) -> DeadLetter:
    row, headers = _row(stored), stored.headers
    return derive(
        DeadLetter,
        row,
        first_error=headers.get(FIRST_ERROR, row.reason),
        last_error=headers.get(LAST_ERROR, row.reason),
        headers={
            name: value
            for name, value in headers.items()
            if not name.lower().startswith(("nats-", "pandora-"))
        },
        body=stored.body.decode(errors="replace"),
        body_bytes=_number(headers.get(CUT_FROM, "")) or len(stored.body),
    )


def _durable_of(stored: Stored) -> str:
    """The subject says it. Headers would not do: the sender of the message could have written them."""
    return stored.headers["Nats-Subject"].removeprefix("dead.")


def _number(text: str) -> int:
    """0 where it is no number: any client may publish on `dead.*`."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0
