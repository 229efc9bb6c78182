"""Which turns were given something that is forgotten, and what of them may stay."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from services.orchestrator.documents.turn_sources import of_memory, of_session, of_turn, sources_in
from services.orchestrator.tools.tool import ToolSource
from services.orchestrator.turn.approval import key_of, waiting
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import CallResult
from services.orchestrator.turn.waves import waves_of
from shared.contract.events import Origin, Source, SourcesFound
from shared.contract.requests import TurnRecord, TurnRow

CLEARED = "This answer stood on something that was forgotten, and was removed with it."
_WITHOUT_MEMORY = frozenset({"calculator", "clock.now", "content.search"})
"""Tools whose results never have the words of a user, or of a page that was read for a user."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What is forgotten, by the names that later turns may use for it."""

    turn_ids: frozenset[str] = frozenset()
    session_id: str | None = None
    memory_ids: frozenset[str] = frozenset()
    until: datetime | None = None
    """Everything that was said until then, in that session or in any. None: only the turns and memories."""

    @property
    def is_nothing(self) -> bool:
        return not self.turn_ids and not self.memory_ids and self.until is None

    @property
    def keys(self) -> set[str] | None:
        """Of the turns that may have been given any of it. None: all of the user's."""
        if self.until is not None and self.session_id is None:
            return None
        session = [] if self.session_id is None else [of_session(self.session_id)]
        return {*map(of_turn, self.turn_ids), *map(of_memory, self.memory_ids), *session}

    def covers(self, origin: Origin) -> bool:
        if origin.kind == "memory":
            return origin.id in self.memory_ids
        if origin.turn_id in self.turn_ids:
            return True
        if self.until is None or (origin.at is not None and origin.at > self.until):
            return False
        return self.session_id in (None, origin.session_id)


def ended_turn_was_given(record: TurnRecord, events: str, forgotten: Forgotten) -> bool:
    """Whether any of it was put before the turn's model, also where the answer does not use it."""
    return any(forgotten.covers(source) for source in (*record.sources, *sources_in(events)))


def waiting_turn_was_given(turn: Turn, forgotten: Forgotten) -> bool:
    """Whether a turn that waits for a person may know any of it, by its checkpoint. True where that is
    unclear.

    The descriptions of its own images do not count: like its input, they belong to this turn.
    """
    if not forgotten.turn_ids.isdisjoint(turn.earlier) or turn.digest:  # A digest does not name its sources.
        return True
    origins = (*turn.passages, *turn.sources, *_sources_of(turn), *map(_origin_of, turn.history or ()))
    return (
        any(forgotten.covers(origin) for origin in origins)
        or any(_result_may_have(result, forgotten) for result in turn.results)
        or _knows_more(turn)
    )


def cleared(record: TurnRecord, forgotten: Forgotten) -> TurnRecord:
    """The record without what is forgotten. The user's question stays.

    The answer is removed where it names a forgotten source. An interrupted answer is removed in any case,
    since it names no sources.
    """
    kept = [source for source in record.sources if not forgotten.covers(source)]
    was_interrupted = record.status != "saved" and record.output != ""
    if len(kept) == len(record.sources) and not was_interrupted:
        return record
    said = record.input.lower()
    keywords = [word for word in record.keywords if word in said]
    return msgspec.structs.replace(
        record, sources=kept, output=CLEARED, keywords=keywords, topic=" ".join(keywords[:3])
    )


def _sources_of(turn: Turn) -> Iterator[Source]:
    """The sources that the turn was given, in this attempt and in earlier ones."""
    for event in turn.events:
        if isinstance(event, SourcesFound):
            yield from event.sources


def _origin_of(row: TurnRow) -> Origin:
    return Origin(id=row.turn_id, turn_id=row.turn_id, session_id=row.session_id, at=row.at)


def _result_may_have(result: CallResult, forgotten: Forgotten) -> bool:
    if result.tool in _WITHOUT_MEMORY:
        return False
    if not result.sources:
        return not result.is_error
    return any(_source_may_be(source, forgotten) for source in result.sources)


def _source_may_be(source: ToolSource, forgotten: Forgotten) -> bool:
    if source.origin is not None:
        return forgotten.covers(source.origin)
    if source.turn_id is None or source.turn_id in forgotten.turn_ids:
        return True
    # The session of that turn is not known here.
    return forgotten.until is not None and (source.at is None or source.at <= forgotten.until)


def _knows_more(turn: Turn) -> bool:
    """Whether a call was made whose result is in no checkpoint yet: together with a waiting one, or before
    it."""
    if turn.chosen is None:
        return True
    asked, round_ = turn.approval.asked, len(turn.plans)
    waits = set(waiting(turn.approval))
    for wave in waves_of(turn.planned):
        keys = {key_of(round_, call.id): call.tool for call in wave}
        made = [tool for key, tool in keys.items() if key not in asked or asked[key].answer]
        if not _WITHOUT_MEMORY.issuperset(made):
            return True
        if not waits.isdisjoint(keys):  # The calls of later waves were not made yet.
            return False
    return True
