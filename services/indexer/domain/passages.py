"""What of a turn is searched, and how it is stored beside its vector."""

from uuid import UUID, uuid5

import msgspec

from shared.events import TurnSaved

ECHO = "yes"
_NAMESPACE = UUID("5f6d1f4e-6f0a-4a35-9d0b-6a1d0d3f7b11")


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as the index stores it: an id, the text that is searched, the payload of seed 003."""

    id: UUID
    turn_id: str
    turn_number: int
    user: str
    session_id: str
    topic: str
    intent: str
    timestamp: str
    """RFC 3339."""
    quality: float
    is_echo: bool
    """A question whose answer only quoted other turns: it knows nothing of its own."""
    text: str

    def payload(self) -> dict[str, object]:
        return {
            "turn_id": self.turn_id,
            "turn_number": self.turn_number,
            "user": self.user,
            "session_id": self.session_id,
            "topic": self.topic,
            "intent": self.intent,
            "timestamp": self.timestamp,
            "quality": self.quality,
            # As a word: Qdrant Edge 0.9 reads a condition on true as one on the number 1.
            "is_echo": ECHO if self.is_echo else "no",
        }


def embedding_id(turn_id: str) -> UUID:
    """The same for the same turn, so that indexing it twice writes one point."""
    return uuid5(_NAMESPACE, turn_id)


def searchable_text(event: TurnSaved) -> str:
    """What the user said and what was answered; a quoted answer only repeats older turns and is left out."""
    return event.input if event.quoted or not event.output else f"{event.input}\n{event.output}"


def passage_of(event: TurnSaved) -> Passage:
    return Passage(
        id=embedding_id(event.turn_id),
        turn_id=event.turn_id,
        turn_number=event.turn_number,
        user=event.user,
        session_id=event.session_id,
        topic=event.topic,
        intent=event.intent,
        timestamp=event.saved_at.isoformat(),
        quality=event.quality,
        is_echo=event.quoted and event.intent == "question",
        text=searchable_text(event),
    )
