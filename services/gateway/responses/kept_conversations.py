"""Conversations: sessions that OpenAI's clients have made, and those that have turns."""

from typing import Literal

import msgspec
from uuid_utils import uuid7

from services.gateway.asking.ports import Ask
from services.gateway.responses.ids import conversation_id, no_such_conversation, second_of
from services.gateway.responses.request import Metadata
from shared.contract.errors import Refused
from shared.contract.requests import FindRunning, GetConversation, KeepConversation, ListConversations


class Conversation(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: Metadata


class KeptConversations:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def make(self, user: str, metadata: Metadata) -> Conversation:
        session_id = str(uuid7())
        await self._ask(KeepConversation(user=user, session_id=session_id, metadata=metadata))
        return _conversation(session_id, metadata)

    async def get(self, user: str, session_id: str, field: str | None = None) -> Conversation:
        """Raises Refused (404) where nothing is kept with the session, and it has no turn."""
        try:
            kept = await self._ask(GetConversation(user=user, session_id=session_id))
            return _conversation(session_id, kept.metadata)
        except Refused as refused:
            if refused.status != 404:
                raise
        began_at = await self._began_at(user, session_id)
        if began_at is None:
            raise no_such_conversation(conversation_id(session_id), field)
        return _conversation(session_id, {}, began_at)

    async def update(self, user: str, session_id: str, metadata: Metadata) -> Conversation:
        """Raises Refused (404)."""
        known = await self.get(user, session_id)
        await self._ask(KeepConversation(user=user, session_id=session_id, metadata=metadata))
        return msgspec.structs.replace(known, metadata=metadata)

    async def _began_at(self, user: str, session_id: str) -> int | None:
        """When the first words of a session were said; None where no turn is known."""
        listed = await self._ask(ListConversations(user=user, session_id=session_id, limit=1))
        for row in listed.conversations:
            if row.turns:  # The others are imported: no turn goes on from them.
                return int(row.first_at.timestamp())
        running = (await self._ask(FindRunning(user=user, session_id=session_id))).turn
        return None if running is None else int(running.requested_at.timestamp())


def _conversation(session_id: str, metadata: Metadata, began_at: int = 0) -> Conversation:
    return Conversation(
        id=conversation_id(session_id),
        created_at=second_of(session_id) or began_at,
        metadata=metadata,
    )
