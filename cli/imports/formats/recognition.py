"""Conversations of other programs: which of the formats a file has, by its content."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import IO, Any, Final, Literal

import msgspec

from cli.imports.formats import chatgpt, claude
from cli.imports.formats.archives import Archive, BadArchive
from cli.imports.formats.encodings import lines_of, pieces_of
from cli.imports.formats.message import LeftOut, Message, OddConversation, text
from cli.imports.formats.values import LARGEST_BYTES, values_in

FORMATS: Final = """\
- NDJSON: one message a line, a JSON object with session_id, message_id, speaker, text and, where known, at
- the export of ChatGPT: the .zip, or conversations.json of it
- the export of Claude: the .zip, or conversations.json of it"""
_LOOKED_AT = 100
"""In NDJSON one of so many first lines must be a JSON object. Bad lines may come before it."""
_ZIP = b"PK\x03\x04"
_MARK = b"\xef\xbb\xbf"
_READERS: dict[str, Callable[[dict[str, Any], LeftOut], Iterator[Message]]] = {
    "mapping": chatgpt.read_conversation,
    "chat_messages": claude.read_conversation,
}
"""By the field that only conversations of this export have."""
_MOST_NAMED: Final = 1000


class UnknownFormat(Exception):
    """The file cannot be imported. The message says what can."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} What can be imported:\n{FORMATS}")


class Conversations:
    """The messages of a file, as they are read. Only the conversation in hand is in memory.

    `unit`: what a line is in the file that was given.
    """

    def __init__(self, lines: Iterable[bytes], size: int, unit: Literal["line", "message"]) -> None:
        self.lines = lines
        """Each is a message as JSON. Of NDJSON: the lines of the file. May raise UnknownFormat."""
        self.size = size
        """In bytes. Of a .zip it grows while zips in it are found."""
        self.done = 0
        """So many of them are read."""
        self.unit = unit
        self.found = 0
        """Conversations that were read."""
        self.odd: list[str] = []
        """Those that were not, with their reasons. The first 1,000."""
        self.odd_conversations = 0
        self.left_out = LeftOut()

    def add_odd(self, reason: str) -> None:
        self.odd_conversations += 1
        if len(self.odd) < _MOST_NAMED:
            self.odd.append(reason)


def read_conversations(file: IO[bytes]) -> Conversations:
    """Reads a file that can be rewound, from its start. Raises UnknownFormat."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(len(_ZIP))
    file.seek(0)
    if head == _ZIP:
        archive = Archive(file)
        found = Conversations([], 0, "message")
        found.lines = _of_archive(archive, found)
        return found
    first = next((line for line in lines_of(_pieces(file)) if line.strip()), b"").strip()
    if not first:
        raise UnknownFormat("The file is empty.")
    if first.startswith(b"[") or (first.startswith(b"{") and _is_conversation(first, file)):
        found = Conversations([], size, "message")
        found.lines = _of_export([_rewound(file)], found)
        return found
    if not any(isinstance(_decoded(line), dict) for line in islice(lines_of(_pieces(file)), _LOOKED_AT)):
        raise UnknownFormat("The file has an unknown format.")
    found = Conversations([], size, "line")
    found.lines = lines_of(_counted(pieces_of(_rewound(file)), found))
    return found


def _rewound(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """From the start, without a mark."""
    pieces = pieces_of(_rewound(file))
    yield next(pieces, b"").removeprefix(_MARK)
    yield from pieces


def _counted(pieces: Iterable[bytes], found: Conversations) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        found.done = min(found.done + len(piece), found.size)


def _is_conversation(first: bytes, file: IO[bytes]) -> bool:
    """The first line is one, or the beginning of one. Otherwise it is a message, or a bad line."""
    found = _decoded(first)
    if not isinstance(found, dict):
        found = _decoded(next(values_in(_pieces(file), of_list=False), None))
    return _is_known(found)


def _is_known(conversation: object) -> bool:
    return isinstance(conversation, dict) and bool(conversation.keys() & _READERS.keys())


def _of_archive(archive: Archive, found: Conversations) -> Iterator[bytes]:
    def files() -> Iterator[IO[bytes]]:
        for file in archive.files():
            found.size = archive.size
            yield file
        if not archive.size:
            raise UnknownFormat("There is no conversations.json in the .zip, nor in a .zip in it.")

    try:
        yield from _of_export(files(), found)
    except BadArchive as error:
        raise UnknownFormat(str(error)) from error


def _of_export(files: Iterable[IO[bytes]], found: Conversations) -> Iterator[bytes]:
    """Yields the messages. Raises UnknownFormat where no value is a conversation."""
    is_export = False
    values = chain.from_iterable(_values_of(file, found) for file in files)
    for place, value in enumerate(values, 1):
        conversation = _decoded(value)
        is_export |= value is None or _is_known(conversation)
        try:
            if value is None:
                raise OddConversation(f"it is larger than {LARGEST_BYTES // 1024**2} MiB")
            for message in _read(conversation, found.left_out):
                yield from map(msgspec.json.encode, message.parts())
            found.found += 1
        except OddConversation as odd:
            found.add_odd(f"conversation {place}{_name_of(conversation)}: {odd}")
    if not is_export:
        raise UnknownFormat("The file is JSON, and holds no conversations of a known export.")


def _values_of(file: IO[bytes], found: Conversations) -> Iterator[bytes | None]:
    pieces = _counted(pieces_of(file), found)
    head = next(pieces, b"").removeprefix(_MARK)
    return values_in(chain([head], pieces), of_list=head.lstrip().startswith(b"["))


def _read(conversation: object, left_out: LeftOut) -> Iterator[Message]:
    """Raises OddConversation."""
    if not isinstance(conversation, dict):
        raise OddConversation("it is no whole JSON object")
    for field, read in _READERS.items():
        if field in conversation:
            return read(conversation, left_out)
    raise OddConversation(f"it has no messages: neither {' nor '.join(f'`{field}`' for field in _READERS)}")


def _name_of(conversation: object) -> str:
    """Returns ` "Bees" (c-good)`, as far as it is known."""
    if not isinstance(conversation, dict):
        return ""
    title = text(conversation.get("title")) or text(conversation.get("name"))
    named = next(
        (one for key in ("conversation_id", "id", "uuid") if (one := text(conversation.get(key)))), ""
    )
    return (f' "{title[:80]}"' if title else "") + (f" ({named[:80]})" if named else "")


def _decoded(value: bytes | None) -> Any:
    """None: it is no JSON."""
    if value is None:
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_laxly(value)


def _decoded_laxly(value: bytes) -> Any:
    """Decodes also halves of emoji, line ends in texts and broken bytes, as where a text was cut."""
    try:
        return json.loads(value.decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        return None
