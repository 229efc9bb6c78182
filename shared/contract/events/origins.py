"""Where something is known from, and the sources that an answer stands on."""

from datetime import datetime
from typing import Literal

import msgspec

Score = float
SourceKind = Literal["turn", "memory", "research", "content"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is known from: a turn, an imported message, a memory or a page."""

    kind: SourceKind = "turn"
    """What it is. An imported message is a `turn` too: it was said in a turn elsewhere."""
    id: str = ""
    """Its id, as in a search's hit."""
    turn_id: str | None = None
    """The turn that it comes from."""
    turn_number: int | None = None
    """The number of that turn."""
    message_ids: list[str] = []
    """The messages that it stands on, best first."""
    session_id: str = ""
    """The conversation that it belongs to."""
    speaker: str = ""
    """Who said an imported message. Of a page: its domain."""
    at: datetime | None = None
    """When it was said."""
    url: str = ""
    """The address of a page."""

    @property
    def name(self) -> str:
        """Short, for people and models: `turn 12`; `Caroline, 8 May 2023`; `memory`."""
        if self.turn_number is not None:
            return f"turn {self.turn_number}"
        said = self.speaker or self.kind
        return said if self.at is None else f"{said}, {self.at.day} {self.at:%B %Y}"


class Source(Origin, frozen=True, kw_only=True):
    """Something that an answer stands on, with the words that were used. Mostly an earlier turn."""

    score: Score
    """0 to 1. Scores are comparable within one answer only."""
    quote: str
    """The words that were used."""
