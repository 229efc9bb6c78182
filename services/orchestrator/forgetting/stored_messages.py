"""Which stored messages belong to what is forgotten, by their bodies."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from services.orchestrator.forgetting.affected_turns import Forgotten
from shared.contract.events import UNREADABLE, ForgetRequested


class _Statement(msgspec.Struct, frozen=True):
    turn_id: str | None = None
    session_id: str = ""
    said_at: datetime | None = None


class _Body(msgspec.Struct):
    """The fields of all kinds of messages that name a user, a turn, a session or a memory."""

    user: str = ""
    turn_id: str | None = None
    session_id: str | None = None
    memory_id: str = ""
    requested_at: datetime | None = None
    statement: _Statement = _Statement()


_body = msgspec.json.Decoder(_Body)


def is_forgotten(
    message: bytes,
    stored_at: datetime,
    order: ForgetRequested,
    forgotten: Forgotten,
    also: Collection[str],
) -> bool:
    """`also` are further turns whose messages have to go."""
    try:
        body = _body.decode(message)
    except UNREADABLE:
        return False
    if body.user != order.user:
        return False
    turn_id = body.turn_id or body.statement.turn_id or ""
    if turn_id in forgotten.turn_ids or turn_id in also or body.memory_id in forgotten.memory_ids:
        return True
    # A message that belongs to no turn began when it was stored.
    began = body.requested_at or (body.statement.said_at if turn_id else None) or stored_at
    match order.scope:
        case "turn" | "memory":
            return False
        case "session":
            session_id = body.session_id or body.statement.session_id
            return session_id == order.target and began <= order.requested_at
        case "user":
            return began <= order.requested_at
