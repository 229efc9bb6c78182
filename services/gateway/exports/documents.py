"""The documents of a user's turns, over the bus."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from services.gateway.asking.ports import Ask
from services.gateway.exports.lists import Counts
from shared.contract.errors import Refused
from shared.contract.requests import DocumentPiece, ExportTurn, ExportTurnReply, HeldTurn, ListHeldTurns

_LIST_SECONDS = 120.0
"""The orchestrator looks at all turns to find those of one user."""
_TURNS_AT_ONCE: Final = 4


async def turns_of(ask: Ask, user: str) -> list[HeldTurn]:
    """Raises Refused and Transient."""
    held: list[HeldTurn] = []
    while True:
        after = held[-1].turn_number if held else 0
        reply = await ask(ListHeldTurns(user=user, after=after), _LIST_SECONDS)
        held += reply.turns
        if not reply.more:
            return held


class TurnDocuments:
    """The documents of these turns of one user, in order. Read once, and counted as they are read."""

    def __init__(self, ask: Ask, user: str, turns: list[HeldTurn], counts: Counts) -> None:
        self._ask = ask
        self._user = user
        self._groups = [
            turns[start : start + _TURNS_AT_ONCE] for start in range(0, len(turns), _TURNS_AT_ONCE)
        ]
        self._counts = counts

    async def read(self) -> AsyncGenerator[list[tuple[str, DocumentPiece]], None]:
        """Yields pieces with the folders of their turns. Asks for the next turns meanwhile."""
        ahead = self._ask_ahead(0)
        try:
            for place, group in enumerate(self._groups):
                replies = await ahead if ahead else []
                ahead = self._ask_ahead(place + 1)
                found: list[tuple[str, DocumentPiece]] = []
                for turn, first in zip(group, replies, strict=True):
                    async for folder, reply in self._pages(turn, first):
                        found += [(folder, piece) for piece in reply.pieces]
                        if reply.more:
                            yield found
                            found = []
                yield found
        finally:
            if ahead is not None:
                ahead.cancel()

    def _ask_ahead(self, place: int) -> asyncio.Task[list[ExportTurnReply | None]] | None:
        if place >= len(self._groups):
            return None
        return asyncio.create_task(self._first_pages(self._groups[place]))

    async def _first_pages(self, turns: list[HeldTurn]) -> list[ExportTurnReply | None]:
        requests = (ExportTurn(user=self._user, turn_id=turn.turn_id) for turn in turns)
        return list(await asyncio.gather(*map(self._page, requests)))

    async def _pages(
        self, turn: HeldTurn, first: ExportTurnReply | None
    ) -> AsyncGenerator[tuple[str, ExportTurnReply], None]:
        folder, reply = f"turns/{turn.turn_number:06d}_{turn.turn_id}", first
        self._counts.folders += reply is not None
        while reply is not None and reply.pieces:
            yield folder, reply
            reply = await self._page(_after(self._user, turn, reply)) if reply.more else None

    async def _page(self, request: ExportTurn) -> ExportTurnReply | None:
        """Returns None for a turn that was forgotten meanwhile."""
        try:
            return await self._ask(request)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise


def _after(user: str, turn: HeldTurn, reply: ExportTurnReply) -> ExportTurn:
    last = reply.pieces[-1]
    return ExportTurn(
        user=user,
        turn_id=turn.turn_id,
        after_name=last.name,
        after_offset=last.offset + len(last.text),
    )
