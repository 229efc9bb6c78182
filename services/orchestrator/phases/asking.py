"""Asks a model as one of the roles, and keeps what each question took."""

import logging
from typing import Any, TypeVar

import msgspec

from services.orchestrator.domain.recipes import PhaseName
from services.orchestrator.domain.schemas import Schema, schema_of
from services.orchestrator.domain.thoughts import ModelCall, read_reply
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.deps import Deps
from shared.errors import Refused, Transient
from shared.replies import Generate, Generated, Message, RoleName

log = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)
_TRIES = 2


def request_id_of(turn: Turn) -> str:
    """Another one for each attempt: what stops an earlier generation must not stop the next."""
    return f"{turn.turn_id}:{turn.attempt}"


async def ask(
    turn: Turn,
    deps: Deps,
    role: RoleName,
    phase: PhaseName,
    messages: list[Message],
    *,
    is_retry: bool = False,
    **more: Any,
) -> tuple[Turn, Generated]:
    """The turn with this question among its calls, and the answer. Raises Refused and Transient.

    One question of a turn at a time. `more`: further fields of `Generate`.
    """
    player = turn.role(role)
    generated = await deps.model.generate(
        Generate(
            request_id=request_id_of(turn),
            role=role,
            phase=phase,
            messages=messages,
            engine=player.engine,
            model=player.model or (turn.request.model if role == "VOICE" else None),
            temperature=player.temperature,
            max_tokens=player.max_tokens,
            thinking=player.thinking,
            attempt=turn.attempt,
            question=turn.said,
            **more,
        ),
        deps.stopping,
    )
    call = ModelCall(
        role=role,
        model=generated.model,
        usage=generated.usage,
        queue_seconds=generated.queue_seconds,
        first_token_seconds=generated.first_token_seconds,
        seconds=generated.seconds,
        is_retry=is_retry,
    )
    return msgspec.structs.replace(turn, calls=[*turn.calls, call]), generated


async def ask_for(
    turn: Turn,
    deps: Deps,
    role: RoleName,
    phase: PhaseName,
    messages: list[Message],
    kind: type[T],
    schema: Schema | None = None,
) -> tuple[Turn, T]:
    """What a model says, as `kind`; asked twice, and then `kind`'s defaults and a note in the turn.

    `schema`: a narrower one than that of `kind`.

    Raises Transient where no engine is there, or somebody stopped it.
    """
    name = kind.__name__
    for attempt in range(_TRIES):
        try:
            turn, generated = await ask(
                turn, deps, role, phase, messages, is_retry=attempt > 0, schema=schema or schema_of(kind)
            )
        except Refused as refusal:
            return _noted(
                turn, f"{phase}: went on as usual, since {role} was refused: {refusal.detail}"
            ), kind()
        if generated.finish_reason == "abort":
            raise Transient(f"the engine was stopped in {phase}")
        found = read_reply(generated.text, kind)
        if found is not None:
            return turn, found
        log.info("turn %d: %s said no %s", turn.turn_number, role, name)
    return _noted(turn, f"{phase}: went on as usual, since {role} gave no {name} that can be read"), kind()


def _noted(turn: Turn, note: str) -> Turn:
    return msgspec.structs.replace(turn, notes=[*turn.notes, note])
