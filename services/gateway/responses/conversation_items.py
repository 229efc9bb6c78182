"""The items of a conversation: the questions and answers of its turns."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.gateway.asking.ports import Ask
from services.gateway.responses.ids import item_id, no_such_item, turn_of_item
from services.gateway.responses.kept_conversations import KeptConversations
from services.gateway.responses.objects import answer, question
from services.gateway.responses.pages import ItemList, ListedItem, Order, page_of
from services.gateway.turns.lookup import Lookup
from shared.contract.errors import Refused
from shared.contract.requests import ListTurns, TurnRow

_PAGE = 100


class ConversationItems:
    """Raises Refused (404) where the user has no such conversation."""

    def __init__(self, ask: Ask, lookup: Lookup, conversations: KeptConversations) -> None:
        self._ask = ask
        self._lookup = lookup
        self._conversations = conversations

    async def page(self, user: str, session_id: str, order: Order, after: str | None, limit: int) -> ItemList:
        """Turns are listed once they are indexed."""
        await self._conversations.get(user, session_id)
        items: list[ListedItem] = []
        enough = None if after else limit
        async with aclosing(self._newest_first(user, session_id)) as newest:
            async for item in newest:
                items.append(item)
                if item.id == after:
                    enough = len(items) + limit
                if order == "desc" and enough is not None and len(items) > enough:
                    break
        return page_of(items[::-1], order, after, limit)

    async def one(self, user: str, session_id: str, item: str) -> ListedItem:
        """Raises Refused (404) where the item is none of the conversation."""
        await self._conversations.get(user, session_id)
        try:
            turn = await self._lookup.turn(turn_of_item(item), user)
        except Refused as refused:
            raise no_such_item(item) if refused.status == 404 else refused from refused
        if turn.session_id == session_id and item == item_id(turn.id, "user"):
            return question(turn.id, turn.input, [image.file_id for image in turn.images])
        if turn.session_id == session_id and turn.ended_at is not None:
            return answer(turn.id, turn.output, is_whole=turn.status == "saved")
        raise no_such_item(item)

    async def _newest_first(self, user: str, session_id: str) -> AsyncGenerator[ListedItem, None]:
        before: int | None = None
        while True:
            listed = await self._ask(ListTurns(user=user, session_id=session_id, before=before, limit=_PAGE))
            for turn in listed.turns:
                for item in _items_of(turn)[::-1]:
                    yield item
            if (before := listed.next_cursor) is None:
                return


def _items_of(turn: TurnRow) -> list[ListedItem]:
    asked = question(turn.turn_id, turn.input, [image.file_id for image in turn.images])
    if not turn.output:  # It was stopped before it said anything.
        return [asked]
    return [asked, answer(turn.turn_id, turn.output, is_whole=turn.status == "saved")]
