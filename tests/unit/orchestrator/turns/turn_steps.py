"""What a turn does on paper where nothing goes wrong: one step after another, and what its phases find."""

from collections.abc import Callable, Sequence
from typing import Any

from services.orchestrator.turn.found import (
    Analysed,
    Answered,
    Coordinated,
    Found,
    Gated,
    Gathered,
    Judged,
    Looked,
    Planned,
)
from services.orchestrator.turn.signals import PhaseCut
from services.orchestrator.turn.thoughts import Analysis, CallResult, Gate, Plan, PlannedCall, Verdict
from shared.contract.events import OutputDelta, OutputRestarted, SourcesFound
from tests.unit.orchestrator.turns.turn_process import Process
from tests.unit.orchestrator.turns.turn_world import ASKS, OF_CLIENT, World

PLANS = [
    Plan(),
    Plan(calls=[PlannedCall(id="a", tool="memory.search")], is_done=False),
    Plan(calls=[PlannedCall(id="a", tool=ASKS), PlannedCall(id="b", tool="memory.search")]),
    Plan(calls=[PlannedCall(id="a", tool=ASKS), PlannedCall(id="b", tool=OF_CLIENT)]),
]
GATES = [Gate(), Gate(decision="ask_back", text="Whom?"), Gate(decision="answer_now")]
VERDICTS = [Verdict(), Verdict(decision="revise", reasons=["It says Rome."]), Verdict(decision="fail")]
Choose = Callable[[Sequence[Any]], Any]


def can_step(process: Process) -> bool:
    return bool(process.lease_writes or process.effects or process.phase or process.timers)


def step(world: World, process: Process, choose: Choose) -> None:
    """The next thing that happens where nothing goes wrong."""
    if process.lease_writes:
        world.write_lease(process)
    elif process.effects:
        world.perform(process, process.effects[0])
    elif process.phase is not None and process.is_cut:
        world.break_off(process, PhaseCut())
    elif can_end(process):
        end_phase(world, process, choose)
    elif process.phase is not None and can_call(process):
        step_of_coordinate(world, process)
    elif process.timers:
        world.send(process, process.timers.pop(0))


def can_call(process: Process) -> bool:
    return process.next_call() is not None or "allowed" in process.calls.values()


# --- phases ---


def runs(process: Process, phase: str) -> bool:
    return process.phase is not None and process.phase.phase == phase and not process.is_cut


def can_end(process: Process) -> bool:
    if process.phase is None or (process.is_cut and process.phase.phase != "synthesis"):
        return False
    return process.phase.phase != "coordinate" or not calls_left(process)


def calls_left(process: Process) -> bool:
    assert process.phase is not None
    calls = list(process.calls.values())
    return len(calls) < len(process.phase.turn.planned) or any(call != "ended" for call in calls)


def can_stream(process: Process) -> bool:
    return runs(process, "synthesis") and not process.state.turn.recipe.hold_back


def stream(world: World, process: Process, texts: list[str]) -> None:
    """An answer that replaces another one makes that void first."""
    assert process.phase is not None
    if process.phase.turn.verdicts and not process.streamed:
        world.announce(process, OutputRestarted)
    world.stream_deltas(process, texts)


def step_of_coordinate(world: World, process: Process) -> None:
    """All calls are asked for before one ends, as those of one wave are."""
    if (call := process.next_call()) is not None:
        world.call(process, call)
    elif allowed := [key for key, call in process.calls.items() if call == "allowed"]:
        world.end_call(process, allowed[0])


def end_phase(world: World, process: Process, choose: Choose) -> None:
    assert process.phase is not None
    if process.phase.phase == "save":
        world.save(process)
    else:
        world.end_phase(process, found_by(world, process, choose))


def found_by(world: World, process: Process, choose: Choose) -> Found:
    assert process.phase is not None
    turn = process.phase.turn
    match process.phase.phase:
        case "look":
            return Looked(images=[])
        case "analysis":
            analysis = Analysis(needs_tools=choose([True, False]))
            return Analysed(analysis=analysis, history=[], memory_was_away=False)
        case "gate":
            return found_by_gate(world, process, choose(GATES))
        case "gather":
            world.announce(process, SourcesFound, sources=[])
            return Gathered(history=[], memory_was_away=choose([False, True]), passages=[], digest="")
        case "plan":
            return Planned(plan=choose(PLANS))
        case "coordinate":
            results = [CallResult(id=call.id, tool=call.tool, text="Found.") for call in turn.planned]
            return Coordinated(results=results)
        case "synthesis":
            return found_by_synthesis(world, process)
        case "validation":
            verdict = choose(VERDICTS)
            if turn.recipe.hold_back and verdict.decision == "approve":
                world.announce(process, OutputDelta, text=turn.output)
            return Judged(verdict=verdict)
        case phase:
            raise AssertionError(phase)


def found_by_gate(world: World, process: Process, gate: Gate) -> Gated:
    if gate.decision != "proceed" and not world.may_answer(process):
        gate = Gate(reason="more was said")
    if gate.text:
        world.announce(process, OutputDelta, text=gate.text)
    return Gated(gate=gate, history=[], memory_was_away=False, output=gate.text, model="reflex")


def found_by_synthesis(world: World, process: Process) -> Answered:
    if can_stream(process):
        stream(world, process, ["Said."])
    return Answered(
        output="".join(process.streamed) or "Held back.",
        model="voice",
        finish_reason="abort" if process.is_cut else "stop",
        sources=[],
        quoted=False,
        first_token_seconds=0.1,
        deltas=process.streamed,
    )
