"""Before the numbered phases, where a turn has images: EYES says what each of them shows."""

import msgspec

from services.orchestrator.domain.questions import look_messages
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import ask
from services.orchestrator.phases.deps import Deps
from shared.errors import Refused, Transient
from shared.events import SeenImage


async def look(turn: Turn, deps: Deps) -> Turn:
    """Each image by itself: no description is about two. What cannot be seen is said, and no turn fails."""
    for file_id in turn.request.images[len(turn.images) :]:
        turn, image = await _look_at(file_id, turn, deps)
        notes = [f"look: {image.name} was not seen: {image.problem}"] if image.problem else []
        turn = msgspec.structs.replace(turn, images=[*turn.images, image], notes=[*turn.notes, *notes])
    return turn


async def _look_at(file_id: str, turn: Turn, deps: Deps) -> tuple[Turn, SeenImage]:
    name = file_id
    try:
        picture = await deps.images.picture(turn.request.user, file_id)
        name = picture.name
        turn, generated = await ask(turn, deps, "EYES", "look", look_messages(turn, picture.data_url))
    except Refused as refusal:
        return turn, SeenImage(file_id=file_id, name=name, problem=refusal.detail)
    if generated.finish_reason == "abort":
        raise Transient("the engine was stopped in look")
    found = generated.text.strip()
    problem = "" if found else f"{generated.model} said nothing of it"
    return turn, SeenImage(file_id=file_id, name=name, description=found, problem=problem)
