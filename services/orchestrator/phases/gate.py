"""Phase 1, reflection gate: go on, ask the user back, or answer at once."""

import msgspec

from services.orchestrator.domain.questions import gate_messages
from services.orchestrator.domain.telling import unseen_images
from services.orchestrator.domain.thoughts import Gate
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.gather import history_of
from shared.events import OutputDelta


async def gate(turn: Turn, deps: Deps) -> Turn:
    turn = await history_of(turn, deps)
    turn, found = await ask_for(turn, deps, "REFLEX", "gate", gate_messages(turn), Gate)
    if found.decision != "proceed" and not deps.steering.close(turn.steering):
        found = Gate(reason="more was said while this was decided")
    if found.decision == "proceed" or not found.text.strip():
        return msgspec.structs.replace(turn, gate=msgspec.structs.replace(found, text=""))
    output = unseen_images(turn) + found.text
    turn = msgspec.structs.replace(
        turn, gate=found, output=output, model=turn.calls[-1].model, finish_reason="stop"
    )
    return await deps.announce(turn, OutputDelta, text=output)
