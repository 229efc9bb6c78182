"""What clients keep with their conversations."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.requests import Conversation, GetConversation, KeepConversation


class ConversationTexts(Protocol):
    """Texts of clients' own, by session. Raises Transient."""

    async def texts_of(self, user: str, session_id: str) -> dict[str, str] | None:
        """Returns None where nothing is kept with the session."""
        ...

    async def keep(self, user: str, session_id: str, texts: dict[str, str], at: datetime) -> None: ...


class Conversations:
    def __init__(self, stored: ConversationTexts, clock: Callable[[], datetime]) -> None:
        self._stored = stored
        self._clock = clock

    @endpoint
    async def get(self, request: GetConversation) -> Conversation:
        texts = await self._stored.texts_of(request.user, request.session_id)
        if texts is None:
            raise Refused(404, f"nothing is kept with the session {request.session_id!r}")
        return Conversation(session_id=request.session_id, metadata=texts)

    @endpoint
    async def keep(self, request: KeepConversation) -> Conversation:
        await self._stored.keep(request.user, request.session_id, request.metadata, self._clock())
        return Conversation(session_id=request.session_id, metadata=request.metadata)
