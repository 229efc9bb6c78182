"""What lasts beyond turns: facts, preferences and notes, and where each of them is known from."""

from datetime import datetime
from typing import Annotated, Final, Literal, get_args

import msgspec

MemoryId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="The id of the memory's first statement."
    ),
]
MemoryKind = Literal["fact", "preference", "note"]
MEMORY_KINDS: Final[tuple[MemoryKind, ...]] = get_args(MemoryKind)
Maker = Literal["user", "tool", "reflector"]
MemoryStatus = Literal["current", "disputed", "superseded", "ended", "coming"]
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
"""Attributes of which a person may have several. Any other attribute has one value at a time."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What is stated. The same statement again confirms it; a newer one takes the place of an older one."""

    text: Text
    """What is known, in a sentence."""
    kind: MemoryKind | None = None
    """How fast it fades; null: read from the text, as are subject, attribute and value then."""
    subject: Label = USER
    """Whom or what it is about: `user`, or a name."""
    attribute: Label = ""
    """What the value is: `home`, `employer`, `favourite colour` ..."""
    value: Value = ""
    """The bare value."""
    confidence: Confidence = 1.0
    """How sure it is."""
    made_by: Maker = "user"
    """Who states it."""
    said_at: Moment | None = None
    """When it was said; null: now."""
    valid_from: Moment | None = None
    """Since when it holds; null: since it was said."""
    valid_to: Moment | None = None
    """Until when it holds; null: until another one takes its place."""
    turn_id: MemoryId | None = None
    """The turn in which it was said."""
    session_id: Label = ""
    """The conversation in which it was said."""
    message_ids: list[str] = []
    """The messages that say it."""
    quote: Value = ""
    """The very words."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One time at which it was stated."""

    made_by: Maker
    """Who stated it."""
    said_at: datetime
    """When."""
    turn_id: str | None = None
    """The turn in which it was said."""
    session_id: str = ""
    """The conversation in which it was said."""
    message_ids: list[str] = []
    """The messages that say it."""
    quote: str = ""
    """The very words."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known, since when, how surely, and where from."""

    memory_id: str
    """The id of its first statement. The id of any of its statements finds it."""
    user: str
    """The owner."""
    text: str
    """What is known, in a sentence."""
    kind: MemoryKind
    """How fast it fades."""
    subject: str
    """Whom or what it is about: `user`, or a name."""
    attribute: str
    """What the value is: `home`, `employer`, `favourite colour` ... Empty where it is none in particular."""
    value: str
    """The bare value; may be empty."""
    confidence: float
    """0 to 1, now: what was stored fades with time, unless it is used or said again."""
    stored_confidence: float
    """0 to 1, when it was stated last."""
    valid_from: datetime
    """Since when it holds."""
    valid_to: datetime | None
    """Until when it holds; null: it holds."""
    status: MemoryStatus
    """It holds (`current`), it holds and another one contradicts it (`disputed`), a newer one took its place
    (`superseded`), it ended by its own word (`ended`), or it has not begun (`coming`)."""
    made_by: Maker
    """The most trustworthy of those who stated it."""
    evidence: list[Evidence]
    """Each time that it was stated, oldest first."""
    last_confirmed_at: datetime
    """When it was stated last."""
    used_at: datetime | None = None
    """When an answer stood on it last."""
    contradicts: list[str] = []
    """Memories that cannot be true together with this one, where nothing says which came last."""
    superseded_by: str | None = None
    """The memory that took its place."""
