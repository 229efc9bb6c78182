"""Asks a model as one of the roles, and keeps what each question took."""

import logging
from typing import Any, TypeVar

import msgspec

from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.prompts.schemas import Schema, schema_of
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import ModelCall, read_reply
from shared.contract.derivation import derive
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Generate, Generated, Message, RoleName

log = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)
_TRIES = 2


def request_id_of(turn: Turn) -> str:
    """Another one for each attempt: what stops an earlier generation must not stop the next."""
    return f"{turn.turn_id}:{turn.attempt}"


async def ask(
    turn: Turn,
    deps: Deps,
    phase: RunningPhase,
    role: RoleName,
    messages: list[Message],
    *,
    is_retry: bool = False,
    **more: Any,
) -> Generated:
    """One question of a turn at a time; `more` are further fields of it. Raises Refused and Transient."""
    generated = await deps.model.generate(
        _question(turn, phase, role, messages, more), phase.stop, continues=_continued(turn, role)
    )
    phase.calls.append(derive(ModelCall, generated, role=role, is_retry=is_retry))
    return generated


async def ask_for(
    turn: Turn,
    deps: Deps,
    phase: RunningPhase,
    role: RoleName,
    messages: list[Message],
    kind: type[T],
    schema: Schema | None = None,
) -> T:
    """What a model says, as `kind`; asked twice, and then `kind`'s defaults and a note in the turn.

    `schema`: a narrower one than that of `kind`.

    Raises Transient where no engine is there, or it was stopped.
    """
    usual = f"{phase.name}: went on as usual, since {role}"
    for attempt in range(_TRIES):
        try:
            generated = await ask(
                turn, deps, phase, role, messages, is_retry=attempt > 0, schema=schema or schema_of(kind)
            )
        except Refused as refusal:
            phase.notes.append(f"{usual} was refused: {refusal.detail}")
            return kind()
        if generated.finish_reason == "abort":
            raise Transient(f"the engine was stopped in {phase.name}")
        found = read_reply(generated.text, kind)
        if found is not None:
            return found
        log.info("turn %d: %s said no %s", turn.turn_number, role, kind.__name__)
    phase.notes.append(f"{usual} gave no {kind.__name__} that can be read")
    return kind()


def _continued(turn: Turn, role: RoleName) -> list[str]:
    """Only VOICE has the session's answers in its prompt, from its beginning on."""
    return [row.turn_id for row in turn.history or ()] if role == "VOICE" else []


def _question(
    turn: Turn, phase: RunningPhase, role: RoleName, messages: list[Message], more: dict[str, Any]
) -> Generate:
    player = turn.role(role)
    return Generate(
        request_id=request_id_of(turn),
        role=role,
        phase=phase.name,
        messages=messages,
        engine=player.engine,
        model=player.model or (turn.request.model if role == "VOICE" else None),
        temperature=player.temperature,
        max_tokens=player.max_tokens,
        thinking=player.thinking,
        attempt=turn.attempt,
        question=turn.said,
        **more,
    )
