"""Phase 2, context gatherer: what memory holds about the user's words, and what the session said last."""

import asyncio
import logging

import msgspec

from services.orchestrator.domain.context import choose_passages, relevant_hits, sources_of
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.tools import Tools
from shared.errors import Refused, Transient
from shared.events import SourcesFound
from shared.replies import Hit, TurnRow

log = logging.getLogger(__name__)
_HITS = 20


async def gather(turn: Turn, tools: Tools) -> Turn:
    user, said = turn.request.user, turn.request.input
    try:
        hits, stored = await asyncio.gather(_search(user, said, tools), _last_turns(turn, tools))
        passages = choose_passages(
            hits,
            await _neighbours(user, relevant_hits(hits), tools),
            most=tools.limits.context_passages,
            budget_tokens=tools.limits.context_budget_tokens,
        )
        turn = msgspec.structs.replace(turn, passages=passages)
    except (Transient, Refused) as error:  # An answer without memory is better than none, whatever ails it.
        log.warning("turn %d goes on without memory: %s", turn.turn_number, error)
        stored = []
        turn = msgspec.structs.replace(turn, memory_was_away=True)
    history = await tools.recent.joined(turn, stored, limit=tools.limits.history_turns)
    turn = msgspec.structs.replace(turn, history=history)
    degraded = ["memory"] if turn.memory_was_away else []
    return await tools.announce(turn, SourcesFound, sources=sources_of(turn.passages), degraded=degraded)


async def _search(user: str, said: str, tools: Tools) -> list[Hit]:
    if tools.limits.context_passages == 0:
        return []
    return await tools.memory.search(user, said, limit=_HITS)


async def _last_turns(turn: Turn, tools: Tools) -> list[TurnRow]:
    if tools.limits.history_turns == 0:
        return []
    return await tools.memory.last_turns(
        turn.request.user, turn.request.session_id, limit=tools.limits.history_turns
    )


async def _neighbours(user: str, hits: list[Hit], tools: Tools) -> list[TurnRow]:
    """Only beside the best few: what stands next to a weak hit is weaker still."""
    best = [hit.turn_id for hit in hits[:2] if hit.turn_id is not None]
    return await tools.memory.neighbours(user, best) if best else []
