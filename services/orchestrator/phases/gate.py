"""Phase 1, reflection gate: go on, ask the user back, or answer at once."""

import msgspec

from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.phases.gather import with_history
from services.orchestrator.prompts.roles import gate_messages
from services.orchestrator.prompts.unseen_images import unseen_images
from services.orchestrator.turn.found import Gated
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import Gate
from shared.contract.events import OutputDelta


async def gate(turn: Turn, deps: Deps, phase: RunningPhase) -> Gated:
    turn = await with_history(turn, deps)
    found = await ask_for(turn, deps, phase, "REFLEX", gate_messages(turn), Gate)
    if found.decision != "proceed" and not phase.may_answer(len(turn.steering)):
        found = Gate(reason="more was said while this was decided")
    if found.decision == "proceed" or not found.text.strip():
        found = msgspec.structs.replace(found, text="")
        return Gated(gate=found, history=turn.history, memory_was_away=turn.memory_was_away)
    output = unseen_images(turn) + found.text
    await phase.announce(OutputDelta, text=output)
    return Gated(
        gate=found,
        history=turn.history,
        memory_was_away=turn.memory_was_away,
        output=output,
        model=phase.calls[-1].model,
        finish_reason="stop",
    )
