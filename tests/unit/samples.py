"""Short ways to write down what the parts work on; every test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.indexer.passages.message import StoredMessage
from services.orchestrator.turn.state import Turn
from shared.contract.derivation import derive
from shared.contract.events import ResearchSaved, TurnRequested, TurnSaved
from shared.contract.requests import Hit, Passage, TurnRecord, TurnRow

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def message(place: int, text: str, **more: Any) -> StoredMessage:
    """Imported by alice into her kitchen, said by her, a minute after the one before."""
    fields: dict[str, Any] = {
        "user": "alice",
        "session_id": "kitchen",
        "message_id": f"m{place}",
        "speaker": "user",
        "role": "user",
        "at": AT + timedelta(minutes=place),
        "ordinal": place,
        "uses": 0,
        "indexed": False,
        **more,
    }
    return StoredMessage(text=text, **fields)


def hit(number: int, said: str, answered: str = "", **more: Any) -> Hit:
    """A turn of the kitchen, found by what was said in it."""
    fields: dict[str, Any] = {
        "kind": "turn",
        "id": f"t{number}",
        "turn_id": f"t{number}",
        "turn_number": number,
        "session_id": "kitchen",
        "at": AT,
        "message_ids": [f"t{number}:user"],
        "text": f"{said}\n{answered}",
        "score": 0.5,
        "similarity": 0.5,
        **more,
    }
    return Hit(input=said, output=answered, **fields)


def imported_hit(message_id: str, text: str, **more: Any) -> Hit:
    """A message that Caroline said elsewhere."""
    fields: dict[str, Any] = {
        "kind": "turn",
        "id": message_id,
        "session_id": "elsewhere",
        "at": AT,
        "message_ids": [message_id],
        "speaker": "Caroline",
        "score": 0.5,
        "similarity": 0.5,
        **more,
    }
    return Hit(text=text, input=text, **fields)


def imported_passage(message_id: str, text: str, **more: Any) -> Passage:
    return derive(Passage, imported_hit(message_id, text, **more))


def passage(number: int, said: str, answered: str = "", **more: Any) -> Passage:
    fields: dict[str, Any] = {
        "id": f"t{number}",
        "turn_id": f"t{number}",
        "turn_number": number,
        "message_ids": [f"t{number}:user"],
        "session_id": "kitchen",
        "at": AT,
        "score": 0.5,
        "similarity": 0.5,
        **more,
    }
    return Passage(input=said, output=answered, **fields)


def row(number: int, said: str = "", answered: str = "", **more: Any) -> TurnRow:
    fields: dict[str, Any] = {
        "session_id": "kitchen",
        "topic": "",
        "intent": "statement",
        "keywords": [],
        "quality": 0.5,
        "model": "extractive",
        "recipe": "direct",
        "quoted": False,
        **more,
    }
    return TurnRow(turn_id=f"t{number}", turn_number=number, at=AT, input=said, output=answered, **fields)


def requested(turn_id: str, said: str = "Hello", **more: Any) -> TurnRequested:
    return TurnRequested(turn_id=turn_id, session_id=more.pop("session_id", "kitchen"), input=said, **more)


def turn(said: str, **more: Any) -> Turn:
    """Turn 42 of alice in the kitchen."""
    request = more.pop("request", None) or requested("t42", said, user="alice", recipe="direct")
    return Turn(request=request, turn_number=42, requested_at=AT, started_at=AT, phase_started_at=AT, **more)


def record(number: int = 42, **more: Any) -> TurnRecord:
    fields: dict[str, Any] = {
        "session_id": "kitchen",
        "user": "alice",
        "status": "saved",
        "input": "Hello",
        "output": "Hello to you.",
        "recipe": "direct",
        "model": "extractive",
        "requested_at": AT,
        "ended_at": AT,
        "last_index": 9,
        **more,
    }
    return TurnRecord(turn_id=f"t{number}", turn_number=number, turn_dir=f"turn_{number:06d}", **fields)


def saved(number: int, said: str = "Hello", answered: str = "Hello to you.", **more: Any) -> TurnSaved:
    fields: dict[str, Any] = {
        "turn_id": f"t{number}",
        "session_id": "kitchen",
        "user": "alice",
        "recipe": "direct",
        "model": "extractive",
        "topic": "hello",
        "intent": "greeting",
        "keywords": ["hello"],
        "quality": 0.5,
        "turn_dir": f"turn_{number:06d}",
        "requested_at": AT,
        "saved_at": AT,
        **more,
    }
    return TurnSaved(turn_number=number, input=said, output=answered, **fields)


def fetched(number: int, text: str, **more: Any) -> ResearchSaved:
    """A page about bees that turn 7 of alice fetched in the kitchen; it holds for a week."""
    fields: dict[str, Any] = {
        "research_id": f"r{number}",
        "user": "alice",
        "url": f"https://bees.example.org/{number}",
        "domain": "bees.example.org",
        "title": "",
        "primary_topic": "keeping bees",
        "quality_overall": 0.5,
        "confidence_current": 0.5,
        "fetched_at": AT,
        "expires_at": AT + timedelta(days=7),
        "scope": "user",
        "turn_id": "t7",
        "turn_number": 7,
        "session_id": "kitchen",
        "requested_at": AT,
        **more,
    }
    return ResearchSaved(text=text, **fields)
