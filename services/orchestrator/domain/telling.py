"""What a user is told in an answer beside what the model says."""

from services.orchestrator.domain.turn import Turn


def unseen_images(turn: Turn) -> str:
    """How an answer begins where an image was not looked at: no engine has to say so by itself."""
    lines = [f"I could not look at {image.name}: {image.problem}." for image in turn.images if image.problem]
    return "".join(f"{line}\n\n" for line in lines)
