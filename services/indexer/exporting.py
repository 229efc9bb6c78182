"""Lists all messages of a user, for an export."""

from typing import Protocol

from shared.endpoints import Endpoint
from shared.replies import HeldMessage, ListMessages, ListMessagesReply

_PAGE_MESSAGES = 500
_PAGE_CHARACTERS = 128 * 1024
"""Of texts in one answer; JSON may spend six bytes on each, and a NATS message holds 1 MB."""


class HeldMessages(Protocol):
    """The rows of a user's messages, by session and place."""

    async def page(
        self, user: str, after_session: str | None, after_ordinal: int, *, limit: int
    ) -> list[HeldMessage]: ...


class Exporting:
    def __init__(self, messages: HeldMessages) -> None:
        self._messages = messages

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(ListMessages, lambda request, send: self.list_messages(request))]

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
