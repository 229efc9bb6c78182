"""What each phase found: a change of the fields of a turn that the phase owns, and of no others."""

from typing import assert_never

import msgspec

from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import Analysis, CallResult, Gate, Plan, Verdict
from shared.contract.events import AnyLiveEvent, OutputDelta, SeenImage, Source
from shared.contract.requests import Passage, TurnRecord, TurnRow

replaced = msgspec.structs.replace


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    images: list[SeenImage]
    """Those that were looked at now."""


class Analysed(msgspec.Struct, frozen=True, kw_only=True):
    analysis: Analysis
    history: list[TurnRow] | None
    memory_was_away: bool


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    gate: Gate
    history: list[TurnRow] | None
    memory_was_away: bool
    output: str = ""
    """What the gate itself answered."""
    model: str = ""
    finish_reason: str = ""


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    history: list[TurnRow] | None
    memory_was_away: bool
    passages: list[Passage]
    digest: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    plan: Plan


class Coordinated(msgspec.Struct, frozen=True, kw_only=True):
    results: list[CallResult]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    output: str
    model: str
    finish_reason: str
    sources: list[Source]
    quoted: bool
    first_token_seconds: float
    deltas: list[str]
    """The texts that went straight from the engine to the readers."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict


class WrittenDown(msgspec.Struct, frozen=True, kw_only=True):
    record: TurnRecord | None
    """None: another process wrote the folder before."""
    events: list[AnyLiveEvent]
    """All of the turn's events. The last one is not sent yet."""


Found = Looked | Analysed | Gated | Gathered | Planned | Coordinated | Answered | Judged | WrittenDown


def with_found(turn: Turn, found: Found) -> Turn:
    """Everything else of the turn stays as it has become while the phase ran."""
    match found:
        case Looked():
            return replaced(turn, images=[*turn.images, *found.images])
        case Analysed() | Gated() | Gathered() | WrittenDown():  # Their fields are the turn's.
            return replaced(turn, **msgspec.structs.asdict(found))
        case Planned():
            return replaced(turn, plans=[*turn.plans, found.plan])
        case Coordinated():
            return replaced(turn, results=[*turn.results, *found.results])
        case Answered():
            return _with_answer(turn, found)
        case Judged():
            return replaced(turn, verdicts=[*turn.verdicts, found.verdict])
        case _:
            assert_never(found)


def _with_answer(turn: Turn, answer: Answered) -> Turn:
    first = turn.next_index
    deltas = [
        OutputDelta(index=first + number, attempt=turn.attempt, text=text)
        for number, text in enumerate(answer.deltas)
    ]
    return replaced(
        turn,
        events=[*turn.events, *deltas],
        output=answer.output,
        model=answer.model,
        finish_reason=answer.finish_reason,
        sources=answer.sources,
        quoted=answer.quoted,
        first_token_seconds=answer.first_token_seconds,
    )
