"""Phase 5, synthesis: the engine answers, straight to the turn's stream."""

from collections.abc import Iterator

import msgspec

from services.orchestrator.domain.context import passage_of_row, sources_of
from services.orchestrator.domain.prompt import messages_of
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.deps import Deps
from shared import metrics
from shared.events import OutputDelta, live_subject
from shared.replies import Generate, Generated, Passage


async def synthesis(turn: Turn, deps: Deps) -> Turn:
    waited = (deps.clock() - turn.started_at).total_seconds()
    generated = await deps.model.generate(
        Generate(
            request_id=request_id_of(turn),
            messages=messages_of(turn),
            passages=_all_that_is_known(turn),
            question=turn.said,
            model=turn.request.model,
            stream_to=live_subject(turn.turn_id),
            first_index=turn.next_index,
            attempt=turn.attempt,
        ),
        deps.stopping,
    )
    first_token_seconds = waited + generated.first_token_seconds
    metrics.first_token_seconds.observe(first_token_seconds)
    return msgspec.structs.replace(
        turn,
        output=generated.text,
        model=generated.model,
        finish_reason=generated.finish_reason,
        sources=sources_of(turn.passages) if generated.sources is None else generated.sources,
        quoted=generated.quoted,
        usage=generated.usage,
        first_token_seconds=first_token_seconds,
        events=[*turn.events, *_deltas(turn, generated)],
    )


def request_id_of(turn: Turn) -> str:
    """Another one for each attempt: what stops an earlier generation must not stop the next."""
    return f"{turn.turn_id}:{turn.attempt}"


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
    return turn.passages + [passage_of_row(row) for row in turn.history if row.turn_id not in found]
