"""Which turns stood on what is forgotten, and what is left of them."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from shared.events import Origin, Source, SourcesFound
from shared.replies import TurnRecord

CLEARED = "This answer stood on something that was forgotten, and was removed with it."
_found = msgspec.json.Decoder(SourcesFound)


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What is forgotten, as later turns may name it."""

    turn_ids: frozenset[str] = frozenset()
    session_id: str | None = None
    memory_ids: frozenset[str] = frozenset()
    until: datetime | None = None
    """All that was said until then, in that session or in any; None: the turns and memories alone."""

    @property
    def is_nothing(self) -> bool:
        return not self.turn_ids and not self.memory_ids and self.until is None

    def holds(self, origin: Origin) -> bool:
        if origin.kind == "memory":
            return origin.id in self.memory_ids
        if origin.turn_id in self.turn_ids:
            return True
        if self.until is None or (origin.at is not None and origin.at > self.until):
            return False
        return self.session_id in (None, origin.session_id)


def stands_on(record: TurnRecord, events: str, gone: Gone) -> bool:
    """Whether any of it was put before the turn's model, whatever the answer made of it."""
    return any(gone.holds(source) for source in (*record.sources, *_sources_found(events)))


def cleared(record: TurnRecord, gone: Gone) -> TurnRecord:
    """The question stays. The answer goes where it stood on what is gone."""
    kept = [source for source in record.sources if not gone.holds(source)]
    if len(kept) == len(record.sources):
        return record
    said = record.input.lower()
    keywords = [word for word in record.keywords if word in said]
    return msgspec.structs.replace(
        record, sources=kept, output=CLEARED, keywords=keywords, topic=" ".join(keywords[:3])
    )


def _sources_found(events: str) -> Iterator[Source]:
    for line in events.splitlines():
        if '"turn.sources"' in line:
            yield from _found.decode(line).sources
