"""Which turns stood on what is forgotten, and what is left of them."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from services.orchestrator.domain.approval import key_of, waiting
from services.orchestrator.domain.thoughts import CallResult
from services.orchestrator.domain.turn import Turn
from services.orchestrator.domain.waves import waves_of
from services.orchestrator.tools.tool import ToolSource
from shared.events import Origin, Source, SourcesFound
from shared.replies import TurnRecord, TurnRow

CLEARED = "This answer stood on something that was forgotten, and was removed with it."
_KNOW_NOTHING = frozenset({"calculator", "clock.now", "content.search"})
"""Tools that never say what a user has said, or what was read for one."""
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


def was_given(turn: Turn, gone: Gone) -> bool:
    """Whether a turn that waits for a person may know any of it, by its checkpoint; in doubt it does.

    Of its own images it keeps what it saw: they are its user's words as much as its input is.
    """
    if not gone.turn_ids.isdisjoint(turn.earlier) or turn.digest:  # A digest does not say of what it is.
        return True
    origins = (*turn.passages, *turn.sources, *_sources_of(turn), *map(_origin_of, turn.history or ()))
    return (
        any(gone.holds(origin) for origin in origins)
        or any(_may_hold(result, gone) for result in turn.results)
        or _knows_more(turn)
    )


def cleared(record: TurnRecord, gone: Gone) -> TurnRecord:
    """The question stays. The answer goes where it stood on what is gone; one that was broken off goes in any
    case, since it names no sources."""
    kept = [source for source in record.sources if not gone.holds(source)]
    was_broken_off = record.status != "saved" and record.output != ""
    if len(kept) == len(record.sources) and not was_broken_off:
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


def _sources_of(turn: Turn) -> Iterator[Source]:
    """What it was given in this attempt and in earlier ones."""
    for event in turn.events:
        if isinstance(event, SourcesFound):
            yield from event.sources


def _origin_of(row: TurnRow) -> Origin:
    return Origin(id=row.turn_id, turn_id=row.turn_id, session_id=row.session_id, at=row.at)


def _may_hold(result: CallResult, gone: Gone) -> bool:
    if result.tool in _KNOW_NOTHING:
        return False
    if not result.sources:
        return not result.is_error
    return any(_may_name(source, gone) for source in result.sources)


def _may_name(source: ToolSource, gone: Gone) -> bool:
    if source.origin is not None:
        return gone.holds(source.origin)
    if source.turn_id is None or source.turn_id in gone.turn_ids:
        return True
    # Its session is not known.
    return gone.until is not None and (source.at is None or source.at <= gone.until)


def _knows_more(turn: Turn) -> bool:
    """A call was made beside one that waits, or before it: its result is in no checkpoint yet."""
    if turn.chosen is None:
        return True
    asked, round_ = turn.approval.asked, len(turn.plans)
    waits = set(waiting(turn.approval))
    for wave in waves_of(turn.planned):
        keys = {key_of(round_, call.id): call.tool for call in wave}
        made = [tool for key, tool in keys.items() if key not in asked or asked[key].answer]
        if not _KNOW_NOTHING.issuperset(made):
            return True
        if not waits.isdisjoint(keys):  # The later ones were not made yet.
            return False
    return True
