"""Cuts JSON into its values as it comes, so that one odd conversation does not hide the others.

Streaming parsers (ijson with yajl was tried) stop at the first bad character, and lose all that comes after
it. ijson also takes gigabytes for deeply nested brackets. This looks at strings and brackets alone: each
value is decoded, or refused, on its own. One value is in memory at a time.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

LARGEST_BYTES: Final = 64 * 1024 * 1024
_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)
"""A whole string, the beginning of one that goes on in the next piece, or a bracket."""
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)


def values_in(
    pieces: Iterable[bytes], *, of_list: bool, largest: int = LARGEST_BYTES
) -> Iterator[bytes | None]:
    """Yields the elements of a list, or the values that stand one after the other. None: one is too large.

    The last one may be broken off.
    """
    cutter = _Cutter(1 if of_list else 0, largest)
    for piece in pieces:
        yield from cutter.feed(piece)
    yield from cutter.end()


class _Cutter:
    def __init__(self, outer: int, largest: int) -> None:
        self._outer = outer
        """How many brackets are open around a value."""
        self._largest = largest
        self._depth = 0
        self._held = bytearray()
        self._is_too_large = False
        self._in_string = False
        self._carried = b""

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        piece = self._uncut(self._carried + piece)
        begun = position = 0
        if self._in_string:
            if (rest := _STRING_END.match(piece)) is None:
                self._hold(piece)
                return
            position, self._in_string = rest.end(), False
        for mark in _MARK.finditer(piece, position):
            start, end = mark.span()
            first = piece[start : start + 1]
            if first == b'"':
                self._in_string = end - start == 1
                if self._in_string:
                    break
            elif first in (b"[", b"{"):
                if self._depth <= self._outer:
                    self._hold(piece[begun:start])
                    yield from self._between()
                    begun = start if self._depth == self._outer else end
                self._depth += 1
            else:
                self._depth = max(self._depth - 1, 0)
                if self._depth <= self._outer:
                    is_value = self._depth == self._outer
                    self._hold(piece[begun : end if is_value else start])
                    yield from [self._taken()] if is_value else self._between()
                    begun = end
        self._hold(piece[begun:])

    def end(self) -> Iterator[bytes | None]:
        """Yields what is broken off."""
        if self._depth > self._outer or self._is_too_large:
            yield self._taken()
        else:
            yield from self._between()

    def _uncut(self, piece: bytes) -> bytes:
        """Keeps a last backslash for the next piece: what it stands for is there."""
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        self._carried = b"\\" if backslashes % 2 else b""
        return piece[:-1] if backslashes % 2 else piece

    def _hold(self, piece: bytes) -> None:
        self._is_too_large |= len(self._held) + len(piece) > self._largest
        if self._is_too_large:
            self._held.clear()
        else:
            self._held += piece

    def _taken(self) -> bytes | None:
        value = None if self._is_too_large else bytes(self._held)
        self._held.clear()
        self._is_too_large = False
        return value

    def _between(self) -> Iterator[bytes]:
        """Yields what stands between values with brackets: numbers, texts, null."""
        for value in (self._taken() or b"").split(b","):
            if value.strip():
                yield value.strip()
