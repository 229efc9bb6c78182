"""A statement with all that its sender may have left out."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.contract.memories import Maker, MemoryKind


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One time that something was stated."""

    statement_id: str
    user: str
    kind: MemoryKind
    subject: str
    attribute: str
    value: str
    text: str
    confidence: float
    made_by: Maker
    said_at: datetime
    valid_from: datetime
    valid_to: datetime | None = None
    used_at: datetime | None = None
    turn_id: str | None = None
    session_id: str = ""
    message_ids: list[str] = []
    quote: str = ""


class StatementSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Statements of one user: of these memories, and what was said in these turns and sessions."""

    user: str
    memory_ids: Sequence[str] = ()
    turn_ids: Sequence[str] = ()
    session_ids: Sequence[str] = ()
    everything: bool = False
    until: datetime | None = None
    """Of sessions, or of everything: only what was said until then."""
