"""The readable documents of a turn (seed 003): what a person finds in its folder."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.orchestrator.domain.endings import last_event_of, names_of
from services.orchestrator.domain.sections import one_line, sections_of
from services.orchestrator.domain.turn import Turn
from shared.events import AnyLiveEvent, OutputDelta, Queued, SourcesFound, encode
from shared.replies import TurnRecord

CONTEXT, RESPONSE, METADATA, METRICS = "context.md", "response.md", "metadata.json", "metrics.json"
EVENTS = "events.jsonl"
MEDIA_TYPES = {".md": "text/markdown", ".json": "application/json", ".jsonl": "application/jsonl"}


def documents_of(turn: Turn, record: TurnRecord, events: Sequence[AnyLiveEvent]) -> dict[str, str]:
    """`events` are all of the turn's live events, its last one included."""
    return {
        CONTEXT: context_document(turn, record),
        RESPONSE: f"{record.output}\n",
        METADATA: _json(record),
        METRICS: _json(_metrics(turn, record)),
        EVENTS: "".join(f"{encode(event).decode()}\n" for event in events),
    }


def _metrics(turn: Turn, record: TurnRecord) -> dict[str, Any]:
    """Of each phase when it began, how long it took, and every question that it put to a model."""
    return {"turn_number": turn.turn_number, "timings": record.timings, "phases": turn.phases}


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
        f"- recipe: {_recipe(record)}\n- model: {one_line(record.model) or 'none'}\n"
        f"- topic: {one_line(record.topic) or 'none'} ({record.intent}, quality {record.quality:g})\n"
    )
    return "\n".join([head, *sections_of(turn, record)])


def _recipe(record: TurnRecord) -> str:
    name = one_line(record.recipe)
    return f"{name} ({record.recipe_version})" if record.recipe_version else name


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
