"""Ids of OpenAI's objects, made from those of turns and sessions: no table joins them."""

from typing import Final, Literal
from uuid import UUID

from services.gateway.turns.refusals import checked_id
from shared.contract.errors import Refused
from shared.contract.events import may_have_turns

Speaker = Literal["user", "assistant"]
_RESPONSE: Final = "resp_"
_CONVERSATION: Final = "conv_"
_ITEM: Final = "msg_"


def response_id(turn_id: str) -> str:
    return _RESPONSE + turn_id


def turn_of(response: str, field: str | None = None) -> str:
    """Returns the id of the turn. Raises Refused (404) where there can be no such response."""
    if not response.startswith(_RESPONSE):
        raise no_such_response(response, field)
    try:
        return checked_id(response.removeprefix(_RESPONSE))
    except Refused as refused:
        raise no_such_response(response, field) from refused


def no_such_response(response: str, field: str | None = None) -> Refused:
    return Refused(
        404, f"there is no response {response!r}; its id is the one that POST /v1/responses answered", field
    )


def conversation_id(session_id: str) -> str:
    return _CONVERSATION + session_id


def session_of(conversation: str, field: str | None = None) -> str:
    """Returns the id of the session. Raises Refused (404) where there can be no such conversation."""
    session_id = conversation.removeprefix(_CONVERSATION)
    if session_id == conversation or not may_have_turns(session_id):
        raise no_such_conversation(conversation, field)
    return session_id


def no_such_conversation(conversation: str, field: str | None = None) -> Refused:
    return Refused(
        404, f"there is no conversation {conversation!r}; POST /v1/conversations answers the id of one", field
    )


def item_id(turn_id: str, speaker: Speaker) -> str:
    return f"{_ITEM}{turn_id}_{speaker}"


def turn_of_item(item: str) -> str:
    """Returns the id of the turn. Raises Refused (404)."""
    turn_id, _, speaker = item.removeprefix(_ITEM).rpartition("_")
    if not item.startswith(_ITEM) or speaker not in ("user", "assistant"):
        raise no_such_item(item)
    return turn_id


def no_such_item(item: str) -> Refused:
    return Refused(404, f"there is no item {item!r} in this conversation; its items are listed under /items")


def second_of(drawn: str) -> int | None:
    """Returns when a UUIDv7 was drawn, in seconds since 1970; None where it is another id."""
    try:
        uuid = UUID(drawn)
    except ValueError:
        return None
    return (uuid.int >> 80) // 1000 if uuid.version == 7 else None
