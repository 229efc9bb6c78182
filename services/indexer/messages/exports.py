"""Lists all messages of a user, for an export."""

from typing import Protocol

from shared.bus.endpoints import endpoint
from shared.contract.requests import HeldMessage, ListMessages, ListMessagesReply

_PAGE_MESSAGES = 500
_PAGE_CHARACTERS = 128 * 1024
"""Of texts in one answer. JSON may need six bytes for each, and a NATS message has room for 1 MB."""


class MessagePages(Protocol):
    """A user's messages, by session and place."""

    async def page(
        self, user: str, after_session: str | None, after_ordinal: int, *, limit: int
    ) -> list[HeldMessage]: ...


class MessageExport:
    def __init__(self, messages: MessagePages) -> None:
        self._messages = messages

    @endpoint
    async def list_messages(self, request: ListMessages) -> ListMessagesReply:
        found = await self._messages.page(
            request.user, request.after_session, request.after_ordinal, limit=_PAGE_MESSAGES + 1
        )
        page: list[HeldMessage] = []
        room = _PAGE_CHARACTERS
        for message in found[:_PAGE_MESSAGES]:
            room -= len(message.text)
            if page and room < 0:
                break
            page.append(message)
        return ListMessagesReply(messages=page, more=len(found) > len(page))
