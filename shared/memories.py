"""What lasts beyond turns: facts, preferences and notes, and where each of them is known from."""

from datetime import datetime
from typing import Annotated, Final, Literal, get_args

import msgspec

MemoryId = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="Of the first statement of it.")
]
MemoryKind = Literal["fact", "preference", "note"]
MEMORY_KINDS: Final[tuple[MemoryKind, ...]] = get_args(MemoryKind)
Maker = Literal["user", "tool", "reflector"]
MemoryStatus = Literal["current", "disputed", "superseded", "ended", "coming"]
"""It holds; it holds and another one that contradicts it does, too; a newer one took its place; its time is
over by its own word; its time has not begun."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Label = Annotated[str, msgspec.Meta(max_length=128)]
"""A subject or an attribute."""
Value = Annotated[str, msgspec.Meta(max_length=1024)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Confidence = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]

USER: Final = "user"
"""The subject of what is known of the user."""
MANY_AT_A_TIME: Final = frozenset(
    {
        *(
            "allergy",
            "intolerance",
            "language",
            "skill",
            "hobby",
            "interest",
            "goal",
            "plan",
            "project",
            "event",
        ),
        *("likes", "dislikes", "prefers", "sister", "brother", "son", "daughter", "child", "baby", "friend"),
        *("best friend", "colleague", "neighbour", "grandmother", "grandfather", "aunt", "uncle", "cousin"),
        *("dog", "cat", "puppy", "kitten", "horse", "rabbit", "parrot", "pet", "boat", "company", "band"),
    }
)
"""Attributes of which one may have several. Any other attribute has one value at a time."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody states. Said again it confirms; a newer one takes the place of an older one."""

    text: Text
    kind: MemoryKind | None = None
    """None: read from the text, as are subject, attribute and value then."""
    subject: Label = USER
    """Whom or what it is about: `user`, or a name."""
    attribute: Label = ""
    value: Value = ""
    confidence: Confidence = 1.0
    made_by: Maker = "user"
    said_at: Moment | None = None
    """None: now."""
    valid_from: Moment | None = None
    """None: since it was said."""
    valid_to: Moment | None = None
    turn_id: MemoryId | None = None
    session_id: Label = ""
    message_ids: list[str] = []
    quote: Value = ""
    """The very words."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One time that it was said, or written down."""

    made_by: Maker
    said_at: datetime
    turn_id: str | None = None
    session_id: str = ""
    message_ids: list[str] = []
    quote: str = ""
    """The very words."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known, since when, how surely, and where from."""

    memory_id: str
    user: str
    text: str
    kind: MemoryKind
    subject: str
    """Whom or what it is about: `user`, or a name."""
    attribute: str
    """`home`, `employer`, `favourite colour` ...; empty where it is none in particular."""
    value: str
    confidence: float
    """0 to 1, now: what was stored fades with time unless it is used or said again."""
    stored_confidence: float
    valid_from: datetime
    valid_to: datetime | None
    """None: it holds."""
    status: MemoryStatus
    made_by: Maker
    evidence: list[Evidence]
    """Oldest first."""
    last_confirmed_at: datetime
    used_at: datetime | None = None
    contradicts: list[str] = []
    """Memories that cannot be true beside this one, and nothing says which of them came last."""
    superseded_by: str | None = None
