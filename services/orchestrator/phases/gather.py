"""Phase 2, context gatherer: what memory holds about the user's words, and what the session said last."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from services.orchestrator.phases.asking import ask
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.prompts.context import (
    choose_passages,
    estimated_tokens,
    joined_hits,
    left_out,
    relevant_hits,
    sources_of,
)
from services.orchestrator.prompts.history import history_of, most_turns
from services.orchestrator.prompts.roles import compress_messages
from services.orchestrator.turn.found import Gathered
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Refused, Transient
from shared.contract.events import SourcesFound
from shared.contract.requests import Hit, Passage, TurnRow

log = logging.getLogger(__name__)
_HITS = 20
_QUERIES = 3
_SURELY_FITS = 0.5
"""Of the budget, by estimate: below it tokens are not counted."""


async def gather(turn: Turn, deps: Deps, phase: RunningPhase) -> Gathered:
    search_early(turn, deps, phase)
    turn = await with_history(turn, deps)
    hits: list[Hit] = []
    beside: list[TurnRow] = []
    try:
        hits = await _found(turn, deps, phase)
        beside = await _neighbours(turn.request.user, relevant_hits(hits), deps)
    except (Transient, Refused) as error:  # An answer without memory is better than none, whatever ails it.
        turn = _without_memory(turn, error)
    passages = await _packed(turn, deps, hits, beside)
    digest = turn.digest
    if turn.recipe.compress and (left := left_out(hits, passages)):
        digest = await _compressed(turn, deps, phase, left)
    degraded = ["memory"] if turn.memory_was_away else []
    await phase.announce(SourcesFound, sources=sources_of(passages), degraded=degraded)
    return Gathered(
        history=turn.history, memory_was_away=turn.memory_was_away, passages=passages, digest=digest
    )


def search_early(turn: Turn, deps: Deps, phase: RunningPhase) -> None:
    """Begins the search for the user's own words, which needs nothing that a model has to say first."""
    if _most_passages(turn, deps) > 0:
        request = turn.request
        phase.early_search.start(lambda: deps.memory.search(request.user, request.input, limit=_HITS))


async def with_history(turn: Turn, deps: Deps) -> Turn:
    """The session's last turns, read once a turn."""
    if turn.history is not None:
        return turn
    turns = _or(turn.recipe.budget.history_turns, deps.limits.history_turns)
    limit = most_turns(turns)
    stored: list[TurnRow] = []
    if limit > 0:
        try:
            request = turn.request
            stored = await deps.memory.last_turns(request.user, request.session_id, limit=limit)
        except (Transient, Refused) as error:
            turn = _without_memory(turn, error)
    rows = await deps.recent.joined(turn, stored, limit=limit)
    budget = deps.limits.history_budget_tokens
    history = history_of(rows, turn.history_from, turns=turns, budget_tokens=budget)
    return msgspec.structs.replace(turn, history=history)


async def _found(turn: Turn, deps: Deps, phase: RunningPhase) -> list[Hit]:
    """By the user's words, and by what the analysis would search for."""
    own = await phase.early_search.result()
    if own is None:
        return []
    if turn.analysis is None or not turn.analysis.needs_memory:
        return own
    queries = [query for query in (turn.analysis.resolved, *turn.analysis.queries) if query.strip()]
    further = list(dict.fromkeys(query for query in queries if query != turn.request.input))[:_QUERIES]
    found = await asyncio.gather(
        *(deps.memory.search(turn.request.user, query, limit=_HITS) for query in further)
    )
    return joined_hits([own, *found])


async def _neighbours(user: str, hits: Sequence[Hit], deps: Deps) -> list[TurnRow]:
    """Only beside the best few: what stands next to a weak hit is weaker still."""
    best = [hit.turn_id for hit in hits[:2] if hit.turn_id is not None]
    return await deps.memory.neighbours(user, best) if best else []


async def _packed(turn: Turn, deps: Deps, hits: Sequence[Hit], beside: Sequence[TurnRow]) -> list[Passage]:
    most = _most_passages(turn, deps)
    budget = _or(turn.recipe.budget.context_tokens, deps.limits.context_budget_tokens)
    chosen = choose_passages(hits, beside, most=most, budget_tokens=budget)
    if sum(estimated_tokens(passage) for passage in chosen) <= _SURELY_FITS * budget:
        return chosen
    # The estimate may be wrong by half: by the tokens of the model that will read them.
    candidates = choose_passages(hits, beside, most=2 * most, budget_tokens=3 * budget)
    player = turn.role("VOICE")
    counts = await deps.model.count_tokens(
        [f"{passage.input}\n{passage.output}" for passage in candidates], player.engine, player.model
    )
    tokens = {passage.key: count for passage, count in zip(candidates, counts, strict=True)}
    return choose_passages(
        hits,
        beside,
        most=most,
        budget_tokens=budget,
        tokens_of=lambda passage: tokens.get(passage.key, budget + 1),
    )


async def _compressed(turn: Turn, deps: Deps, phase: RunningPhase, left: list[Passage]) -> str:
    """What memory holds beyond the budget, in a few words of NERVES."""
    messages = compress_messages(turn, left)
    try:
        generated = await ask(turn, deps, phase, "NERVES", messages, passages=left)
    except Refused as refusal:
        phase.notes.append(
            f"gather: {len(left)} passages were left out, since NERVES was refused: {refusal.detail}"
        )
        return turn.digest
    if generated.finish_reason == "abort":
        raise Transient("the engine was stopped in gather")
    return generated.text.strip()


def _most_passages(turn: Turn, deps: Deps) -> int:
    return _or(turn.recipe.budget.context_passages, deps.limits.context_passages)


def _without_memory(turn: Turn, error: Exception) -> Turn:
    log.warning("turn %d goes on without memory: %s", turn.turn_number, error)
    return msgspec.structs.replace(turn, memory_was_away=True)


def _or(own: int | None, of_settings: int) -> int:
    return of_settings if own is None else own
