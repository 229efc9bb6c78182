"""Conversations of other programs: which of the formats a file has, by its content."""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final, Literal

import msgspec

from cli.imports.formats import chatgpt, claude
from cli.imports.formats.message import Message

FORMATS: Final = """\
- NDJSON: one message a line, a JSON object with session_id, message_id, speaker, text and, where known, at
- the export of ChatGPT: the .zip, or conversations.json of it
- the export of Claude: the .zip, or conversations.json of it"""
_LOOKED_AT = 100
"""In NDJSON one of so many first lines must be a JSON object. Bad lines may come before it."""
_ZIP = b"PK\x03\x04"
_MARK = b"\xef\xbb\xbf"
_MEMBER = re.compile(r"(?:.*/)?conversations(?:-\d+)?\.json")
_READERS: dict[str, Callable[[dict[str, Any]], Iterator[Message]]] = {
    "mapping": chatgpt.read_conversation,
    "chat_messages": claude.read_conversation,
}
"""By the field that only conversations of this export have."""


class UnknownFormat(Exception):
    """The file cannot be imported. The message says what can."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} What can be imported:\n{FORMATS}")


class Conversations(msgspec.Struct, frozen=True):
    lines: Iterable[bytes]
    """Each is a message as JSON. Of NDJSON: the lines of the file as they are."""
    total: int
    unit: Literal["line", "message"]
    """What a line is in the file that was given."""


def read_conversations(file: IO[bytes]) -> Conversations:
    """Reads a file that can be rewound, from its start. Raises UnknownFormat."""
    head = file.read(len(_ZIP))
    file.seek(0)
    if head == _ZIP:
        return _of_export(_unzipped(file))
    first = next((line for line in file if line.removeprefix(_MARK).strip()), b"").removeprefix(_MARK).strip()
    file.seek(0)
    if not first:
        raise UnknownFormat("The file is empty.")
    if first.startswith(b"["):
        return _of_export([file.read()])
    if first.startswith(b"{") and not _is_message(first):
        whole = file.read()  # One conversation, or lines of which the first is bad.
        file.seek(0)
        if isinstance(_decoded(whole), dict):
            return _of_export([whole])
    if not any(isinstance(_decoded(line), dict) for line in islice(file, _LOOKED_AT)):
        raise UnknownFormat("The file has an unknown format.")
    file.seek(0)
    total = sum(1 for _ in file)
    file.seek(0)
    return Conversations(lines=file, total=total, unit="line")


def _is_message(line: bytes) -> bool:
    found = _decoded(line)
    return isinstance(found, dict) and not found.keys() & _READERS.keys()


def _unzipped(file: IO[bytes]) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = sorted(name for name in archive.namelist() if _MEMBER.fullmatch(name))
            if not names:
                raise UnknownFormat("There is no conversations.json in the .zip.")
            for name in names:
                yield archive.read(name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnknownFormat(f"The .zip cannot be read ({error}).") from error


def _of_export(texts: Iterable[bytes]) -> Conversations:
    messages: list[Message] = []
    for text in texts:
        found = _decoded(text)
        conversations = found if isinstance(found, list) else [found]
        for conversation in conversations:
            messages += _read(conversation)
    return Conversations(lines=map(msgspec.json.encode, messages), total=len(messages), unit="message")


def _read(conversation: object) -> Iterator[Message]:
    if isinstance(conversation, dict):
        for field, read in _READERS.items():
            if field in conversation:
                return read(conversation)
    raise UnknownFormat("The file is JSON, and holds no conversations of a known export.")


def _decoded(text: bytes) -> Any:
    plain = text.removeprefix(_MARK)
    try:
        return msgspec.json.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_laxly(plain)


def _decoded_laxly(text: bytes) -> Any:
    """Decodes also halves of emoji, which msgspec refuses. Exports hold them where a text was cut."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
