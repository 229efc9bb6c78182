"""Phase 5, synthesis: VOICE answers, straight to the turn's stream."""

from collections.abc import Iterator
from typing import Any

from services.orchestrator.phases.asking import ask
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.prompts.answer import messages_of
from services.orchestrator.prompts.citations import sources_named
from services.orchestrator.prompts.context import passage_of_row
from services.orchestrator.prompts.unseen_images import unseen_images
from services.orchestrator.turn.found import Answered
from services.orchestrator.turn.state import Turn
from shared.contract.events import OutputDelta, OutputRestarted, live_subject
from shared.contract.requests import Generated, Passage
from shared.process import metrics


async def synthesis(turn: Turn, deps: Deps, phase: RunningPhase) -> Answered:
    if turn.verdicts and not turn.recipe.hold_back:  # What was read so far is not the answer any more.
        await phase.announce(OutputRestarted)
    told = unseen_images(turn)
    if told and not turn.recipe.hold_back:
        await phase.announce(OutputDelta, text=told)
    waited = (deps.clock() - turn.started_at).total_seconds()
    generated = await ask(turn, deps, phase, "VOICE", messages_of(turn), **_fields(turn, phase))
    first_token_seconds = waited + generated.first_token_seconds
    metrics.first_token_seconds.observe(first_token_seconds)
    return Answered(
        output=told + generated.text,
        model=generated.model,
        finish_reason=generated.finish_reason,
        sources=sources_named(turn, generated.text) if generated.sources is None else generated.sources,
        quoted=generated.quoted,
        first_token_seconds=first_token_seconds,
        deltas=list(_deltas(generated)),
    )


def _fields(turn: Turn, phase: RunningPhase) -> dict[str, Any]:
    fields = {"passages": _all_that_is_known(turn), "first_index": phase.next_index}
    return fields if turn.recipe.hold_back else {**fields, "stream_to": live_subject(turn.turn_id)}


def _deltas(generated: Generated) -> Iterator[str]:
    """The texts that went straight from the engine to the readers."""
    begin = 0
    for length in generated.pieces:
        yield generated.text[begin : begin + length]
        begin += length


def _all_that_is_known(turn: Turn) -> list[Passage]:
    """For an engine that reads passages instead of a prompt, the session is one more place to look."""
    found = {passage.turn_id for passage in turn.passages}
    history = turn.history or ()
    return turn.passages + [passage_of_row(row) for row in history if row.turn_id not in found]
