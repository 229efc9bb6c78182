"""Pointers from what a turn was given to the turn, so forgetting reads the turns concerned and no others.

`turns/by_source/<user>.ids/<first two characters>/<rest of a hash>/<turn id>` is empty. The hash is that of a
session, of an earlier turn, or of a memory. The session that a turn itself belongs to counts as one of these.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec

from services.orchestrator.documents.pointing import touch
from shared.contract.events import UNREADABLE, Origin, Source, SourcesFound

_HASH_BYTES = 12
_found = msgspec.json.Decoder(SourcesFound)


class _Record(msgspec.Struct):
    """The fields of a turn's metadata that name what it was given."""

    session_id: str
    sources: list[Origin] = []


_record = msgspec.json.Decoder(_Record)


def of_turn(turn_id: str) -> str:
    return f"turn {turn_id}"


def of_memory(memory_id: str) -> str:
    return f"memory {memory_id}"


def of_session(session_id: str) -> str:
    return f"session {session_id}"


def sources_in(events: str) -> Iterator[Source]:
    """What the document EVENTS names as put before the model."""
    for line in events.splitlines():
        if '"turn.sources"' in line:
            yield from _found.decode(line).sources


def keys_in(metadata: bytes, events: bytes) -> set[str] | None:
    """Names of all that a turn was given, by its documents. None where they cannot be read."""
    try:
        record = _record.decode(metadata)
        return {of_session(record.session_id), *_keys((*record.sources, *sources_in(events.decode())))}
    except UNREADABLE:
        return None


def _keys(origins: Iterable[Origin]) -> Iterator[str]:
    for origin in origins:
        if origin.kind == "memory":
            yield of_memory(origin.id)
            continue
        if origin.turn_id is not None:
            yield of_turn(origin.turn_id)
        yield of_session(origin.session_id)


class TurnSources:
    """The pointers of all users. A pointer may lead to nothing: it is written before the documents.

    Paths are texts, since a turn that ends writes some ten pointers.
    """

    def __init__(self, folder: Path) -> None:
        self._by_source = folder / "by_source"

    def note(self, user: str, turn_id: str, keys: Collection[str]) -> None:
        for key in keys:
            touch(f"{self._place_of(user, key)}/{turn_id}")

    def given(self, user: str, keys: Collection[str]) -> set[str]:
        """The ids of turns that were given any of these."""
        found = set[str]()
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                found.update(one.name for one in Path(self._place_of(user, key)).iterdir())
        return found

    def remove(self, user: str, turn_id: str, keys: Collection[str]) -> None:
        for key in keys:
            place = Path(self._place_of(user, key))
            (place / turn_id).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # Others are in there.
                for empty in (place, *place.parents[:2]):
                    empty.rmdir()

    def _place_of(self, user: str, key: str) -> str:
        digest = blake2b(key.encode(), digest_size=_HASH_BYTES).hexdigest()
        return f"{self._by_source}/{user}.ids/{digest[:2]}/{digest[2:]}"
