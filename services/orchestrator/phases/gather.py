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
    joined,
    left_out,
    sources_of,
)
from services.orchestrator.prompts.history import history_of, most_turns
from services.orchestrator.prompts.roles import compress_messages
from services.orchestrator.turn.branches import on_branch
from services.orchestrator.turn.found import Gathered
from services.orchestrator.turn.state import Turn
from shared.contract.errors import NoAnswer, Refused, Transient
from shared.contract.events import SourcesFound
from shared.contract.requests import Passage, Recall, Recalled, TurnRow

log = logging.getLogger(__name__)
_FOUND = 20
_QUERIES = 3
_SURELY_FITS = 0.5
"""Of the budget, by estimate: below it tokens are not counted."""


async def gather(turn: Turn, deps: Deps, phase: RunningPhase) -> Gathered:
    search_early(turn, deps, phase, with_turns=turn.history is None)
    recalled = Recalled()
    try:
        recalled = on_branch(await _recalled(turn, deps, phase), turn.request)
    except NoAnswer as error:  # It is not waited for once more, for the session's turns alone.
        turn, recalled = _without_memory(turn, error), Recalled(turns=[])
    except (Transient, Refused) as error:  # An answer without memory is better than none, whatever ails it.
        turn = _without_memory(turn, error)
    turn = await with_history(turn, deps, recalled.turns)
    passages = await _packed(turn, deps, recalled)
    digest = turn.digest
    if turn.recipe.compress and (left := left_out(recalled.passages, passages)):
        digest = await _compressed(turn, deps, phase, left)
    degraded = ["memory"] if turn.memory_was_away else []
    await phase.announce(SourcesFound, sources=sources_of(passages), degraded=degraded)
    return Gathered(
        history=turn.history, memory_was_away=turn.memory_was_away, passages=passages, digest=digest
    )


def search_early(turn: Turn, deps: Deps, phase: RunningPhase, *, with_turns: bool) -> None:
    """Begins the search for the user's own words, which needs nothing that a model has to say first.

    `with_turns`: it also asks for the session's last turns.
    """
    if _most_passages(turn, deps) == 0:
        return
    request = Recall(user=turn.request.user, query=turn.request.input, limit=_FOUND)
    if with_turns and (limit := most_turns(_history_turns(turn, deps))):
        request = msgspec.structs.replace(request, session_id=turn.request.session_id, turns=limit)
    phase.early_search.start(lambda: deps.memory.recall(request))


async def with_history(turn: Turn, deps: Deps, stored: Sequence[TurnRow] | None = None) -> Turn:
    """The session's last turns, read once a turn. `stored`: those of the index, where they are known."""
    if turn.history is not None:
        return turn
    turns = _history_turns(turn, deps)
    limit = most_turns(turns)
    if stored is None and limit > 0:
        try:
            request = turn.request
            stored = await deps.memory.last_turns(request.user, request.session_id, limit=limit)
        except (Transient, Refused) as error:
            turn = _without_memory(turn, error)
    rows = await deps.recent.joined(turn, stored or [], limit=limit)
    budget = deps.limits.history_budget_tokens
    history = history_of(rows, turn.history_from, turns=turns, budget_tokens=budget)
    return msgspec.structs.replace(turn, history=history)


async def _recalled(turn: Turn, deps: Deps, phase: RunningPhase) -> Recalled:
    """By the user's words, and by what the analysis would search for."""
    own = await phase.early_search.result()
    if own is None:
        return Recalled()
    if turn.analysis is None or not turn.analysis.needs_memory:
        return own
    queries = [query for query in (turn.analysis.resolved, *turn.analysis.queries) if query.strip()]
    further = list(dict.fromkeys(query for query in queries if query != turn.request.input))[:_QUERIES]
    user = turn.request.user
    requests = [Recall(user=user, query=query, limit=_FOUND) for query in further]
    found = [own, *await asyncio.gather(*map(deps.memory.recall, requests))]
    return Recalled(
        passages=joined(one.passages for one in found),
        neighbours=[row for one in found for row in one.neighbours],
        turns=own.turns,
    )


async def _packed(turn: Turn, deps: Deps, recalled: Recalled) -> list[Passage]:
    found, beside = recalled.passages, recalled.neighbours
    most = _most_passages(turn, deps)
    budget = _or(turn.recipe.budget.context_tokens, deps.limits.context_budget_tokens)
    chosen = choose_passages(found, beside, most=most, budget_tokens=budget)
    if sum(estimated_tokens(passage) for passage in chosen) <= _SURELY_FITS * budget:
        return chosen
    # The estimate may be wrong by half: by the tokens of the model that will read them.
    candidates = choose_passages(found, beside, most=2 * most, budget_tokens=3 * budget)
    player = turn.role("VOICE")
    counts = await deps.model.count_tokens(
        [f"{passage.input}\n{passage.output}" for passage in candidates], player.engine, player.model
    )
    tokens = {passage.key: count for passage, count in zip(candidates, counts, strict=True)}
    return choose_passages(
        found,
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


def _history_turns(turn: Turn, deps: Deps) -> int:
    return _or(turn.recipe.budget.history_turns, deps.limits.history_turns)


def _without_memory(turn: Turn, error: Exception) -> Turn:
    log.warning("turn %d goes on without memory: %s", turn.turn_number, error)
    return msgspec.structs.replace(turn, memory_was_away=True)


def _or(own: int | None, of_settings: int) -> int:
    return of_settings if own is None else own
