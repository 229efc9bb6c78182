"""The documents of turns as resources: `pandora://turns/<turn_id>/documents/<name>`."""

import asyncio
import re
from urllib.parse import quote, unquote

import msgspec

from services.gateway.asking.ports import Ask
from services.gateway.http.parameters import CURSOR_PATTERN
from services.gateway.turns.refusals import checked_id
from shared.contract.errors import Refused
from shared.contract.requests import Document, GetDocument, ListDocuments, ListTurns, TurnRow

TEMPLATE = "pandora://turns/{turn_id}/documents/{name}"
_ADDRESS = re.compile(r"pandora://turns/([^/]+)/documents/([^/]+)")
_TURNS_A_PAGE = 10
_TITLE_CHARACTERS = 60


class TurnDocument(msgspec.Struct, frozen=True, kw_only=True):
    uri: str
    name: str
    title: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    documents: list[TurnDocument]
    next_cursor: str | None


class TurnDocuments:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def page(self, user: str, cursor: str | None) -> Page:
        """Returns the documents of some turns, the latest first. Raises Refused."""
        if cursor is not None and not re.match(CURSOR_PATTERN, cursor):
            raise Refused(422, "cursor must be the nextCursor of the page before", "cursor")
        before = None if cursor is None else int(cursor)
        reply = await self._ask(ListTurns(user=user, before=before, limit=_TURNS_A_PAGE))
        found = await asyncio.gather(*(self._of(turn, user) for turn in reply.turns))
        following = None if reply.next_cursor is None else str(reply.next_cursor)
        return Page(documents=[one for turn in found for one in turn], next_cursor=following)

    async def _of(self, turn: TurnRow, user: str) -> list[TurnDocument]:
        try:
            names = (await self._ask(ListDocuments(user=user, turn_id=turn.turn_id))).names
        except Refused:  # It was forgotten meanwhile.
            return []
        title = f"turn {turn.turn_number}: {turn.input[:_TITLE_CHARACTERS]}"
        return [TurnDocument(uri=uri_of(turn.turn_id, name), name=name, title=title) for name in names]

    async def read(self, uri: str, user: str) -> Document:
        """Raises Refused (404)."""
        address = _ADDRESS.fullmatch(uri)
        if address is None:
            raise Refused(404, f"there is no resource {uri[:200]!r}; they are like {TEMPLATE}")
        turn_id, name = checked_id(address[1]), unquote(address[2])
        return await self._ask(GetDocument(user=user, turn_id=turn_id, name=name))


def uri_of(turn_id: str, name: str) -> str:
    return f"pandora://turns/{turn_id}/documents/{quote(name, safe='')}"
