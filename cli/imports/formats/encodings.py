"""Files in other encodings than UTF-8: PowerShell's `>` writes UTF-16."""

import codecs
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO

_PIECE_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 1024 * 1024 + 1
"""One byte more than the gateway takes. It refuses such a line."""


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the file from here. UTF-16 and UTF-32 become UTF-8, UTF-8 stays as it is."""
    pieces = iter(lambda: file.read(_PIECE_BYTES), b"")
    head = next(pieces, b"")
    encoding = json.detect_encoding(head[:4])
    every = chain([head], pieces)
    return every if encoding.startswith("utf-8") else _in_utf8(every, encoding)


def _in_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for piece in pieces:
        yield decoder.decode(piece).encode(errors="replace")
    yield decoder.decode(b"", final=True).encode(errors="replace")


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yields lines with their ends. Of a line that is too long it yields the beginning."""
    held = bytearray()
    for piece in pieces:
        *ended, begun = piece.split(b"\n")
        for line in ended:
            held += line[: _LONGEST_LINE_BYTES - len(held)]
            yield bytes(held) + b"\n"
            held.clear()
        held += begun[: _LONGEST_LINE_BYTES - len(held)]
    if held:
        yield bytes(held)
