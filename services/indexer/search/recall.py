"""Answers what a turn needs of memory: what was found, its neighbours, and the session's last turns."""

import asyncio

from services.indexer.messages.tables import TurnTable
from services.indexer.search.relevance import best_turns, relevant_hits
from services.indexer.search.steps import Searching
from shared.bus.endpoints import endpoint
from shared.contract.derivation import derive
from shared.contract.requests import Passage, Recall, Recalled, Search, TurnRow


class Recalling:
    def __init__(self, searching: Searching, turns: TurnTable) -> None:
        self._searching = searching
        self._turns = turns

    @endpoint
    async def recall(self, request: Recall) -> Recalled:
        recalled, turns = await asyncio.gather(self._found(request), self._last_turns(request))
        passages, neighbours = recalled
        return Recalled(passages=passages, neighbours=neighbours, turns=turns)

    async def _found(self, request: Recall) -> tuple[list[Passage], list[TurnRow]]:
        search = Search(user=request.user, query=request.query, limit=request.limit, without_echoes=True)
        hits = relevant_hits(await self._searching.hits(search))
        best = best_turns(hits)
        neighbours = await self._turns.neighbours(request.user, best) if best else []
        return [derive(Passage, hit, input=hit.input or hit.text) for hit in hits], neighbours

    async def _last_turns(self, request: Recall) -> list[TurnRow] | None:
        session_id = request.session_id
        if session_id is None:
            return None
        return await self._turns.turns(request.user, session_id=session_id, before=None, limit=request.turns)
