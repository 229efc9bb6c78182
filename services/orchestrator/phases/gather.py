"""Phase 2, context gatherer: what memory holds about the user's words, and what the session said last."""

import asyncio
import logging

import msgspec

from services.orchestrator.domain.context import choose_passages, relevant_hits, sources_of
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.deps import Deps
from shared.errors import Refused, Transient
from shared.events import SourcesFound
from shared.replies import Hit, TurnRow

log = logging.getLogger(__name__)
_HITS = 20


async def gather(turn: Turn, deps: Deps) -> Turn:
    user, said = turn.request.user, turn.request.input
    try:
        hits, stored = await asyncio.gather(_search(user, said, deps), _last_turns(turn, deps))
        passages = choose_passages(
            hits,
            await _neighbours(user, relevant_hits(hits), deps),
            most=deps.limits.context_passages,
            budget_tokens=deps.limits.context_budget_tokens,
        )
        turn = msgspec.structs.replace(turn, passages=passages)
    except (Transient, Refused) as error:  # An answer without memory is better than none, whatever ails it.
        log.warning("turn %d goes on without memory: %s", turn.turn_number, error)
        stored = []
        turn = msgspec.structs.replace(turn, memory_was_away=True)
    history = await deps.recent.joined(turn, stored, limit=deps.limits.history_turns)
    turn = msgspec.structs.replace(turn, history=history)
    degraded = ["memory"] if turn.memory_was_away else []
    return await deps.announce(turn, SourcesFound, sources=sources_of(turn.passages), degraded=degraded)


async def _search(user: str, said: str, deps: Deps) -> list[Hit]:
    if deps.limits.context_passages == 0:
        return []
    return await deps.memory.search(user, said, limit=_HITS)


async def _last_turns(turn: Turn, deps: Deps) -> list[TurnRow]:
    if deps.limits.history_turns == 0:
        return []
    return await deps.memory.last_turns(
        turn.request.user, turn.request.session_id, limit=deps.limits.history_turns
    )


async def _neighbours(user: str, hits: list[Hit], deps: Deps) -> list[TurnRow]:
    """Only beside the best few: what stands next to a weak hit is weaker still."""
    best = [hit.turn_id for hit in hits[:2] if hit.turn_id is not None]
    return await deps.memory.neighbours(user, best) if best else []
