"""A message: one thing that one speaker said. Search finds messages.

A turn has two: what the user said, and the answer. An imported line is one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from shared.contract.events import TurnSaved
from shared.contract.requests import ImportedMessage

Role = Literal["user", "assistant", "other"]
_NAMESPACE = UUID("5f6d1f4e-6f0a-4a35-9d0b-6a1d0d3f7b11")
_USERS = frozenset({"user", "human", "me", "i"})
_ASSISTANTS = frozenset(
    {"assistant", "ai", "bot", "model", "system", "chatgpt", "claude", "gemini", "pandora"}
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Before it is stored."""

    user: str
    session_id: str
    message_id: str
    speaker: str
    role: Role
    text: str
    at: datetime
    turn_id: str | None = None
    turn_number: int | None = None
    is_echo: bool = False
    """It is a question whose answer only quoted other turns: it holds nothing new."""
    labels: Mapping[str, object] = {}
    """Topic, intent and quality of its turn."""

    @property
    def point_id(self) -> UUID:
        return point_id_of(self.user, self.session_id, self.message_id)


class StoredMessage(Message, frozen=True, kw_only=True):
    """As its row has it."""

    ordinal: int
    """Its place in the session, from 0."""
    uses: int
    indexed: bool


def point_id_of(user: str, session_id: str, message_id: str) -> UUID:
    """The same id for the same message: to store it twice writes one row and one point."""
    return uuid5(_NAMESPACE, "\n".join((user, session_id, message_id)))


def messages_of(event: TurnSaved) -> list[Message]:
    """What the user said, and the answer. An answer that only quotes older turns is left out."""
    texts: Sequence[tuple[Role, str]] = (
        ("user", event.said),
        ("assistant", "" if event.quoted else event.output),
    )
    return [
        Message(
            user=event.user,
            session_id=event.session_id,
            message_id=f"{event.turn_id}:{role}",
            speaker=role,
            role=role,
            text=text,
            at=event.requested_at if role == "user" else event.saved_at,
            turn_id=event.turn_id,
            turn_number=event.turn_number,
            is_echo=event.quoted and event.intent == "question",
            labels={"topic": event.topic, "intent": event.intent, "quality": event.quality},
        )
        for role, text in texts
        if text.strip()
    ]


def message_of_import(user: str, said: ImportedMessage) -> Message:
    return Message(
        user=user,
        session_id=said.session_id,
        message_id=said.message_id,
        speaker=said.speaker,
        role=role_of(said.speaker, user),
        text=said.text,
        at=said.at,
    )


def role_of(speaker: str, user: str) -> Role:
    """The role of an imported message's speaker, by name."""
    name = speaker.strip().casefold()
    if name in _USERS or name == user.casefold():
        return "user"
    return "assistant" if name in _ASSISTANTS else "other"
