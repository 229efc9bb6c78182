"""Which turns stood on what is forgotten, and what is left of them."""

from collections.abc import Iterator

import msgspec

from shared.events import Origin, Source, SourcesFound
from shared.replies import TurnRecord

_CLEARED = "This answer stood on something that was forgotten, and was removed with it."
_found = msgspec.json.Decoder(SourcesFound)


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What is forgotten, as later turns may name it."""

    turn_ids: frozenset[str] = frozenset()
    session_id: str | None = None
    memory_ids: frozenset[str] = frozenset()

    @property
    def is_nothing(self) -> bool:
        return not self.turn_ids and self.session_id is None and not self.memory_ids

    def holds(self, origin: Origin) -> bool:
        if origin.kind == "memory":
            return origin.id in self.memory_ids
        return origin.turn_id in self.turn_ids or (
            self.session_id is not None and origin.session_id == self.session_id
        )


def stands_on(record: TurnRecord, events: str, gone: Gone) -> bool:
    """Whether any of it was put before the turn's model, whatever the answer made of it."""
    return any(gone.holds(source) for source in (*record.sources, *_sources_found(events)))


def cleared(record: TurnRecord, gone: Gone) -> TurnRecord:
    """The question stays. The answer goes where it stood on what is gone."""
    kept = [source for source in record.sources if not gone.holds(source)]
    if len(kept) == len(record.sources):
        return record
    return msgspec.structs.replace(record, sources=kept, output=_CLEARED)


def _sources_found(events: str) -> Iterator[Source]:
    for line in events.splitlines():
        if '"turn.sources"' in line:
            yield from _found.decode(line).sources
