"""Before the numbered phases, where a turn has images: EYES says what each of them shows."""

from services.orchestrator.phases.asking import ask
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.prompts.roles import look_messages
from services.orchestrator.turn.found import Looked
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Refused, Transient
from shared.contract.events import SeenImage


async def look(turn: Turn, deps: Deps, phase: RunningPhase) -> Looked:
    """Each image by itself: no description is about two. What cannot be seen is said, and no turn fails."""
    images: list[SeenImage] = []
    for file_id in turn.request.images[len(turn.images) :]:
        image = await _look_at(file_id, turn, deps, phase)
        if image.problem:
            phase.notes.append(f"look: {image.name} was not seen: {image.problem}")
        images.append(image)
    return Looked(images=images)


async def _look_at(file_id: str, turn: Turn, deps: Deps, phase: RunningPhase) -> SeenImage:
    name = file_id
    try:
        picture = await deps.images.picture(turn.request.user, file_id)
        name = picture.name
        generated = await ask(turn, deps, phase, "EYES", look_messages(turn, picture.data_url))
    except Refused as refusal:
        return SeenImage(file_id=file_id, name=name, problem=refusal.detail)
    if generated.finish_reason == "abort":
        raise Transient("the engine was stopped in look")
    found = generated.text.strip()
    problem = "" if found else f"{generated.model} said nothing of it"
    return SeenImage(file_id=file_id, name=name, description=found, problem=problem)
