"""Phase 5, synthesis: VOICE answers, straight to the turn's stream."""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.orchestrator.domain.citing import sources_named
from services.orchestrator.domain.context import passage_of_row
from services.orchestrator.domain.prompt import messages_of
from services.orchestrator.domain.telling import unseen_images
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import ask
from services.orchestrator.phases.deps import Deps
from shared import metrics
from shared.events import OutputDelta, OutputRestarted, live_subject
from shared.replies import Generated, Passage


async def synthesis(turn: Turn, deps: Deps) -> Turn:
    if turn.verdicts and not turn.recipe.hold_back:  # What was read so far is not the answer any more.
        turn = await deps.announce(turn, OutputRestarted)
    told = unseen_images(turn)
    if told and not turn.recipe.hold_back:
        turn = await deps.announce(turn, OutputDelta, text=told)
    waited = (deps.clock() - turn.started_at).total_seconds()
    turn, generated = await ask(turn, deps, "VOICE", "synthesis", messages_of(turn), **_fields(turn))
    first_token_seconds = waited + generated.first_token_seconds
    metrics.first_token_seconds.observe(first_token_seconds)
    return msgspec.structs.replace(
        turn,
        output=told + generated.text,
        model=generated.model,
        finish_reason=generated.finish_reason,
        sources=sources_named(turn, generated.text) if generated.sources is None else generated.sources,
        quoted=generated.quoted,
        first_token_seconds=first_token_seconds,
        events=[*turn.events, *_deltas(turn, generated)],
    )


def _fields(turn: Turn) -> dict[str, Any]:
    fields = {"passages": _all_that_is_known(turn), "first_index": turn.next_index}
    return fields if turn.recipe.hold_back else {**fields, "stream_to": live_subject(turn.turn_id)}


def _deltas(turn: Turn, generated: Generated) -> Iterator[OutputDelta]:
    """The events that went straight from the engine to the readers."""
    begin = 0
    for number, length in enumerate(generated.pieces):
        text = generated.text[begin : begin + length]
        yield OutputDelta(index=turn.next_index + number, attempt=turn.attempt, text=text)
        begin += length


def _all_that_is_known(turn: Turn) -> list[Passage]:
    """For an engine that reads passages instead of a prompt, the session is one more place to look."""
    found = {passage.turn_id for passage in turn.passages}
    history = turn.history or ()
    return turn.passages + [passage_of_row(row) for row in history if row.turn_id not in found]
