"""Cuts the body of an answer into its JSON texts: server-sent events, or one JSON answer as a whole."""

from collections.abc import Iterator

import msgspec

from shared.contract.events import UNREADABLE

DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"
_FIELDS = frozenset({b"event", b"id", b"retry"})
"""Of server-sent events: they say nothing that is used here. So do comments."""
_LONGEST_EVENT_BYTES = 16 * 1024 * 1024
_SHOWN_CHARACTERS = 120


class NotAnAnswer(Exception):
    """What the server sends is no answer of a chat. Another try would give the same."""


class EventReader:
    """It is fed with the bytes as they arrive, and closed at their end.

    An event may lack the blank line at its end, and may be spread over several `data:` lines.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._has_begun = False
        self._lines: list[bytes] = []
        """Of an event, or of a whole JSON answer, that has not come to its end."""
        self._is_bare = False
        """They have no `data:` before them."""

    @property
    def is_cut_off(self) -> bool:
        """An event has begun, and not ended."""
        return bool(self._lines)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields JSON texts, and DONE. Raises NotAnAnswer."""
        self._rest += data
        self._check_size(len(self._rest))
        if b"\n" not in data and b"\r" not in data:
            return
        lines = bytes(self._rest).splitlines(keepends=True)
        self._rest = bytearray() if lines[-1].endswith(b"\n") else bytearray(lines.pop())
        for line in lines:
            yield from self._take(line.rstrip(b"\r\n"))

    def close(self) -> Iterator[bytes]:
        """The last line may lack its end."""
        rest, self._rest = bytes(self._rest), bytearray()
        yield from self._take(rest.rstrip(b"\r"))

    def _take(self, line: bytes) -> Iterator[bytes]:
        if not self._has_begun:
            line = line.removeprefix(_BOM)
            self._has_begun = bool(line)
        text = self._text_of(line)
        if text is None:
            return
        self._lines.append(text)
        self._check_size(sum(map(len, self._lines)))
        event = b"\n".join(self._lines)
        if event == DONE or _is_json(event):
            self._lines.clear()
            yield event

    def _text_of(self, line: bytes) -> bytes | None:
        """The part of the line that belongs to an event."""
        if self._is_bare and self._lines:
            return line or None
        if not line:
            if self._lines:
                raise NotAnAnswer(f"an event that is no JSON: {shown(b' '.join(self._lines))}")
            return None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._is_bare = False
            return value.strip() or None
        if not name or name in _FIELDS:
            return None
        if line.lstrip().startswith(b"{"):
            self._is_bare = True
            return line
        raise NotAnAnswer(shown(line))

    def _check_size(self, length: int) -> None:
        if length > _LONGEST_EVENT_BYTES:
            raise NotAnAnswer(f"an event of more than {_LONGEST_EVENT_BYTES} bytes")


def shown(body: bytes) -> str:
    """The beginning, for a message."""
    text = " ".join(body.decode(errors="replace").split())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _is_json(text: bytes) -> bool:
    if not text.endswith((b"}", b"]", b'"', b"l")):
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True
