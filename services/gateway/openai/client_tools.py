"""Calls of a client's own tools within a turn: named to the client, and known again in what it answers."""

import json
import re
from collections.abc import Collection
from itertools import takewhile
from typing import Final

import msgspec

from services.gateway.openai.chat_request import ChatMessage, ChatRequest
from services.gateway.openai.tools import calls_of
from shared.contract.errors import Refused
from shared.contract.events import AnyLiveEvent, ToolWaiting
from shared.contract.requests import ToolCall

_ID: Final = re.compile(r"call_(?P<turn_id>[0-9a-f-]{36})_(?P<index>\d{1,9})_(?P<key>.+)", re.DOTALL)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the calls that a turn waited for."""

    turn_id: str
    after: int
    """The index of the last event that told of these calls."""
    results: dict[str, str]
    """By the calls' keys."""


class CallsWaiting:
    """Collects the calls that a turn asks of its client at once."""

    def __init__(self, turn_id: str, answered: Collection[str]) -> None:
        """`answered`: the keys of those that the client has made."""
        self._turn_id = turn_id
        self._answered = answered
        self._calls: dict[str, ToolCall] = {}

    def take(self, event: AnyLiveEvent) -> list[ToolCall]:
        """Returns all of them with the last one, and nothing before."""
        if not isinstance(event, ToolWaiting) or not event.for_client or event.key in self._answered:
            return []
        self._calls[event.key] = ToolCall(
            id=f"call_{self._turn_id}_{event.index}_{event.key}",
            name=event.tool,
            arguments=json.dumps(event.arguments, ensure_ascii=False),
        )
        return [] if event.left else list(self._calls.values())


def answered_in(chat: ChatRequest) -> Answered | None:
    """None where the last message is no result of a tool. Raises Refused for results that answer no turn."""
    results = list(takewhile(lambda message: message.role == "tool", reversed(chat.messages)))[::-1]
    if not results:
        return None
    named = [_named(message) for message in results]
    turns = {turn_id for turn_id, _, _ in named}
    if len(turns) > 1:
        raise Refused(422, "the results at the end of messages are of calls of several turns", "messages")
    if missing := _asked_before(chat, len(results)) - {message.tool_call_id for message in results}:
        why = f"messages has no result of the call {min(missing)}; each call needs one"
        raise Refused(422, why, "messages")
    return Answered(
        turn_id=turns.pop(),
        after=max(index for _, index, _ in named),
        results={key: message.text for (_, _, key), message in zip(named, results, strict=True)},
    )


def _named(message: ChatMessage) -> tuple[str, int, str]:
    """The turn's id, the event's index and the call's key."""
    found = _ID.fullmatch(message.tool_call_id or "")
    if found is None:
        raise Refused(
            422,
            f"tool_call_id is {message.tool_call_id!r}, which no turn has asked for; "
            "send the id that came with the call",
            "messages",
        )
    return found["turn_id"], int(found["index"]), found["key"]


def _asked_before(chat: ChatRequest, results: int) -> set[str]:
    """The ids of the calls that these results are to answer."""
    before = chat.messages[: len(chat.messages) - results]
    return {call.id for call in calls_of(before[-1])} if before else set()
