"""Whom and what events are about: ids, and where something is known from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

# The lookahead refuses a final newline, which `$` alone lets pass in Python; ids become parts of subjects.
TurnId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="A UUIDv7 as text.")]
SESSION_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$(?!\n)"
SessionId = Annotated[str, msgspec.Meta(pattern=SESSION_PATTERN)]
ANY_SESSION_PATTERN = r"^[^\x00-\x1f\x7f]{1,128}$(?!\n)"
AnySessionId = Annotated[str, msgspec.Meta(pattern=ANY_SESSION_PATTERN)]
"""Imported sessions keep the names that they had elsewhere."""
User = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@-]{1,64}$(?!\n)")]
Score = float
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\x00-\x20\x7f]+$(?!\n)", max_length=2048)]
Domain = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9._:\[\]-]{1,253}$(?!\n)")]
"""A host as addresses name it, in lower case, with its port where that is another than usual."""

FILE_PATTERN = r"^[A-Za-z0-9_-]{1,64}$(?!\n)"
FileId = Annotated[str, msgspec.Meta(pattern=FILE_PATTERN)]

IfBusy = Literal["enqueue", "reject", "interrupt", "replace"]
"""What a new turn does while another turn of its session runs: wait, not run at all, stop the other and keep
its partial answer in the session, or stop it and drop it from the session."""
SourceKind = Literal["turn", "memory", "research", "content"]
WhyCancelled = Literal["cancelled", "interrupted", "replaced"]

LOCAL_USER = "local"
"""The one user of an installation without keys."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is known from: a turn, an imported message, a memory, a page."""

    kind: SourceKind = "turn"
    id: str = ""
    """As in a search's hit."""
    turn_id: str | None = None
    turn_number: int | None = None
    message_ids: list[str] = []
    """Best first."""
    session_id: str = ""
    speaker: str = ""
    """Who said it, of an imported message; of a page, its domain."""
    at: datetime | None = None
    url: str = ""
    """Of a page."""

    @property
    def name(self) -> str:
        """Short, for people and models: `turn 12`; `Caroline, 8 May 2023`; `memory`."""
        if self.turn_number is not None:
            return f"turn {self.turn_number}"
        said = self.speaker or self.kind
        return said if self.at is None else f"{said}, {self.at.day} {self.at:%B %Y}"


class Source(Origin, frozen=True, kw_only=True):
    """Something that an answer stands on, with the words that were used: mostly an earlier turn."""

    score: Score
    quote: str


class SeenImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a turn, and what EYES saw in it."""

    file_id: str
    name: str
    """As it was uploaded."""
    description: str = ""
    problem: str = ""
    """Why nobody looked at it; then there is no description."""

    @property
    def words(self) -> str:
        """For people and models."""
        return f"[Image {self.name}: {self.description or f'not seen, {self.problem}'}]"


def said_with_images(said: str, images: Sequence[SeenImage]) -> str:
    """A user's words, and behind them what their images show: what later turns are told of both."""
    return "\n\n".join([said, *(image.words for image in images)])


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one turn, counted by the engine."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input, those that the engine had in its prefix cache."""


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the moment the orchestrator took the turn."""

    gather_seconds: float = 0.0
    first_token_seconds: float = 0.0
    total_seconds: float = 0.0


class PhaseTiming(msgspec.Struct, frozen=True, kw_only=True):
    """What one phase of a turn took: time, and where it asked a model, tokens."""

    phase: str
    seconds: float
    role: str | None = None
    """As whom the model was asked; None where none was asked."""
    model: str | None = None
    """Who answered."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input, those that the engine had in its prefix cache."""
    calls: int = 0
    """Of the model."""
    retries: int = 0
    """Of the phase: how often it was begun anew after its first try."""
