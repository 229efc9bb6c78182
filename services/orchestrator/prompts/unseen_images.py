"""Tells the user which images could not be looked at."""

from services.orchestrator.turn.state import Turn


def unseen_images(turn: Turn) -> str:
    """The beginning of the answer; empty where all images were seen. So no model has to say it."""
    lines = [f"I could not look at {image.name}: {image.problem}." for image in turn.images if image.problem]
    return "".join(f"{line}\n\n" for line in lines)
