"""Renders a turn as the documents of its folder, which people can read."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.orchestrator.documents.sections import sections_of
from services.orchestrator.turn.endings import last_event_of
from services.orchestrator.turn.state import Turn
from shared.contract.derivation import derive
from shared.contract.events import AnyLiveEvent, OutputDelta, Queued, SourcesFound, encode, encode_lines
from shared.contract.requests import TurnRecord
from shared.language.shortening import one_line

CONTEXT, RESPONSE, METADATA, METRICS = "context.md", "response.md", "metadata.json", "metrics.json"
EVENTS = "events.jsonl"
MEDIA_TYPES = {".md": "text/markdown", ".json": "application/json", ".jsonl": "application/jsonl"}


def documents_of(turn: Turn, record: TurnRecord, events: Sequence[AnyLiveEvent]) -> dict[str, str]:
    """`events` are all of the turn's live events, including the last one."""
    return {
        CONTEXT: context_document(turn, record),
        RESPONSE: f"{record.output}\n",
        METADATA: _json(record),
        METRICS: _json(_metrics(turn, record)),
        EVENTS: encode_lines(events).decode(),
    }


def _metrics(turn: Turn, record: TurnRecord) -> dict[str, Any]:
    """Start and duration of each phase, and each request of a phase to a model."""
    return {"turn_number": turn.turn_number, "timings": record.timings, "phases": turn.phases}


def events_in(document: str) -> list[msgspec.Raw]:
    """The live events in the document EVENTS, as they were sent."""
    return [msgspec.Raw(line.encode()) for line in document.splitlines()]


def events_of_record(record: TurnRecord) -> list[msgspec.Raw]:
    """Four events that tell the same turn, for turns of old versions, which have no document EVENTS.

    Their indexes rise, and the last one is the turn's real last index.
    """
    last = max(3, record.last_index)
    events: list[AnyLiveEvent] = [
        derive(Queued, record, index=0, attempt=1),
        SourcesFound(index=max(1, last - 2), sources=record.sources),
        OutputDelta(index=max(2, last - 1), text=record.output),
        last_event_of(msgspec.structs.replace(record, last_index=last)),
    ]
    return [msgspec.Raw(encode(event)) for event in events]


def context_document(turn: Turn, record: TurnRecord) -> str:
    """The whole turn, in numbered sections."""
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
