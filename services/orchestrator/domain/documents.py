"""The readable documents of a turn (seed 003): what a person finds in its folder."""

from collections.abc import Sequence

import msgspec

from services.orchestrator.domain.turn import Turn, last_event_of, names_of
from shared.events import AnyLiveEvent, OutputDelta, Queued, SourcesFound, encode
from shared.replies import Passage, TurnRecord

CONTEXT, RESPONSE, METADATA, METRICS = "context.md", "response.md", "metadata.json", "metrics.json"
EVENTS = "events.jsonl"
MEDIA_TYPES = {".md": "text/markdown", ".json": "application/json", ".jsonl": "application/jsonl"}


def documents_of(turn: Turn, record: TurnRecord, events: Sequence[AnyLiveEvent]) -> dict[str, str]:
    """`events` are all of the turn's live events, its last one included."""
    return {
        CONTEXT: context_document(turn, record),
        RESPONSE: f"{record.output}\n",
        METADATA: _json(record),
        METRICS: _json({"turn_number": turn.turn_number, "timings": record.timings, "phases": turn.phases}),
        EVENTS: "".join(f"{encode(event).decode()}\n" for event in events),
    }


def events_in(document: str) -> list[msgspec.Raw]:
    """The live events of EVENTS, as they were sent."""
    return [msgspec.Raw(line.encode()) for line in document.splitlines()]


def events_of_record(record: TurnRecord) -> list[msgspec.Raw]:
    """For a turn that was saved before its events were: the same story in four of them.

    Indexes rise and the last one is the turn's real last index.
    """
    last = max(3, record.last_index)
    events: list[AnyLiveEvent] = [
        Queued(index=0, user=record.user, **names_of(record)),
        SourcesFound(index=max(1, last - 2), sources=record.sources),
        OutputDelta(index=max(2, last - 1), text=record.output),
        last_event_of(msgspec.structs.replace(record, last_index=last)),
    ]
    return [msgspec.Raw(encode(event)) for event in events]


def context_document(turn: Turn, record: TurnRecord) -> str:
    """The turn from top to bottom, in seed 003's numbered sections."""
    head = (
        f"# Turn {record.turn_number}\n\n"
        f"- status: {record.status}\n- session: {record.session_id}\n- user: {record.user}\n"
        f"- asked: {record.requested_at.isoformat(timespec='seconds')}\n"
        f"- recipe: {record.recipe}\n- model: {record.model or 'none'}\n"
        f"- topic: {record.topic or 'none'} ({record.intent}, quality {record.quality:g})\n"
    )
    sections = [
        head,
        f"## §0 Query\n\n{_query(record)}\n",
        f"## §2 Gathered context\n\n{_gathered(turn)}\n",
        f"## §5 Answer\n\n{_answer(record)}\n",
    ]
    return "\n".join(sections)


def _query(record: TurnRecord) -> str:
    added = [f"Added while the turn ran:\n\n{_quotation(text)}" for text in record.steering]
    return "\n\n".join((_quotation(record.input), *added))


def _gathered(turn: Turn) -> str:
    if turn.memory_was_away:
        return "Memory could not be asked; the answer was given without it."
    parts = []
    if turn.history:
        numbers = ", ".join(str(row.turn_number) for row in turn.history)
        parts.append(f"From this session: turns {numbers}.")
    parts += [_passage(passage) for passage in turn.passages]
    return "\n\n".join(parts) or "Nothing relevant was found in memory."


def _passage(passage: Passage) -> str:
    answer = f"\n\n{_quotation(passage.output)}" if passage.output and not passage.quoted else ""
    heading = passage.name[0].upper() + passage.name[1:]
    return (
        f"### {heading} (score {passage.score:.3f}, similarity {passage.similarity:.3f})\n\n"
        f"{_quotation(passage.input)}{answer}"
    )


def _answer(record: TurnRecord) -> str:
    parts = [record.output] if record.output else []
    if record.error:
        parts.append(f"The turn {record.status}: {record.error}")
    if record.sources:
        parts.append(_sources(record))
    return "\n\n".join(parts) or "No answer was given."


def _sources(record: TurnRecord) -> str:
    lines = [f"- {source.name}: {source.quote}" for source in record.sources]
    return "Sources:\n\n" + "\n".join(lines)


def _quotation(text: str) -> str:
    return "\n".join(f"> {line}" for line in _lines(text))


def _lines(text: str) -> Sequence[str]:
    return text.splitlines() or [""]


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
