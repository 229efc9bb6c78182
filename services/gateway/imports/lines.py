"""A file of messages, line by line: what each line says, and which requests store them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

import msgspec

from services.gateway.http.callers import ME, Caller
from services.gateway.imports.dates import BadDate, read_time
from shared.contract.events import UNREADABLE, User, encode
from shared.contract.requests import MOST_MESSAGES, ImportedMessage, ImportMessages

LONGEST_LINE_BYTES: Final = 1024 * 1024
MOST_BYTES: Final = 768 * 1024
"""Of JSON in one request. NATS takes 1 MB; the rest of the request needs some of it."""
_FIELD = re.compile(r"at `\$\.(\w+)`")
_RULES = {
    "user": "1 to 64 of A-Z a-z 0-9 _ . @ -",
    "session_id": "1 to 128 characters without control characters",
    "message_id": "1 to 256 characters without control characters",
    "speaker": "1 to 128 characters",
}


class BadLine(ValueError):
    """A line that is not stored. The message says why."""


class Said(msgspec.Struct, frozen=True):
    """A good line."""

    user: str
    message: ImportedMessage
    dated: bool
    """It has a time of its own."""
    size: int
    """Bytes of the message as JSON."""


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    user: str | None = None
    session_id: str | int | float
    message_id: str | int | float
    speaker: str
    text: str
    at: str | int | float | None = None


class LineCutter:
    """Cuts a body into (number, line) as it comes. Of a line that is too long it keeps one byte too many."""

    def __init__(self, longest: int = LONGEST_LINE_BYTES) -> None:
        self._room = longest + 1
        self._begun = bytearray()
        self._number = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        *ended, begun = chunk.split(b"\n")
        for piece in ended:
            self._hold(piece)
            yield from self.end()
        self._hold(begun)

    def end(self) -> Iterator[tuple[int, bytes]]:
        """Yields the line that has come so far, unless it is blank."""
        self._number += 1
        line = bytes(self._begun)
        self._begun.clear()
        if self._number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield self._number, line

    def _hold(self, piece: bytes) -> None:
        self._begun += piece[: self._room - len(self._begun)]


class LineReader:
    """Reads the lines of one import.

    Lines without a user are `default_user`'s, and lines without a time are from `now`.
    """

    def __init__(self, sender: Caller, default_user: str, now: datetime) -> None:
        self._sender = sender
        self._default_user = default_user
        self._now = now

    def read(self, raw: bytes) -> Said:
        """Raises BadLine."""
        if len(raw) > LONGEST_LINE_BYTES:
            raise BadLine(f"longer than {LONGEST_LINE_BYTES} bytes")
        line = _decoded(raw)
        if not line.text.strip():
            raise BadLine("text: it is empty")
        at = None if isinstance(line.at, str) and not line.at.strip() else line.at
        message = _converted(
            {
                "session_id": _as_text(line.session_id),
                "message_id": _as_text(line.message_id),
                "speaker": line.speaker,
                "text": line.text,
                "at": self._now if at is None else _time_of(at),
            }
        )
        size = len(encode(message))
        if size > MOST_BYTES:
            raise BadLine(f"text: the message has {size} bytes as JSON; at most {MOST_BYTES} are taken")
        return Said(user=self._user_of(line), message=message, dated=at is not None, size=size)

    def _user_of(self, line: _Line) -> str:
        if line.user is None:
            return self._default_user
        if line.user == ME:
            return self._sender.name
        if not self._sender.may_act_for(line.user):
            raise BadLine(
                f"user: {self._sender.name} may not import for {line.user[:64]!r}; that takes an admin's key"
            )
        try:
            return msgspec.convert(line.user, User)
        except msgspec.ValidationError as error:
            raise BadLine(f"user: expected {_RULES['user']}") from error


def plan_requests(said: Sequence[Said]) -> list[list[ImportMessages]]:
    """Returns a list of requests for each user. Those of one user are sent one after the other.

    The messages of a session keep their order. Where each has a time, they are ordered by time.
    """
    users: dict[str, dict[str, list[Said]]] = {}
    for one in said:
        users.setdefault(one.user, {}).setdefault(one.message.session_id, []).append(one)
    return [
        list(_requests(user, chain.from_iterable(map(_by_time, sessions.values()))))
        for user, sessions in users.items()
    ]


def _requests(user: str, said: Iterable[Said]) -> Iterator[ImportMessages]:
    messages: list[ImportedMessage] = []
    size = 0
    for one in said:
        if messages and (len(messages) == MOST_MESSAGES or size + one.size + 1 > MOST_BYTES):
            yield ImportMessages(user=user, messages=messages)
            messages, size = [], 0
        messages.append(one.message)
        size += one.size + 1
    yield ImportMessages(user=user, messages=messages)


def _by_time(session: list[Said]) -> list[Said]:
    return sorted(session, key=lambda one: one.message.at) if all(one.dated for one in session) else session


def _decoded(raw: bytes) -> _Line:
    try:
        return msgspec.json.decode(raw, type=_Line)
    except msgspec.ValidationError as error:
        raise BadLine(str(error)) from error
    except UNREADABLE as error:
        raise BadLine(f"not JSON in UTF-8: {error}") from error


def _converted(fields: dict[str, Any]) -> ImportedMessage:
    try:
        return msgspec.convert(fields, ImportedMessage)
    except msgspec.ValidationError as error:
        match = _FIELD.search(str(error))
        field = match.group(1) if match else ""
        raise BadLine(f"{field}: expected {_RULES[field]}" if field in _RULES else str(error)) from error


def _time_of(at: str | int | float) -> datetime:
    try:
        return read_time(at)
    except BadDate as error:
        raise BadLine(f"at: {error}") from error


def _as_text(value: str | int | float) -> str:
    return value if isinstance(value, str) else str(value)
