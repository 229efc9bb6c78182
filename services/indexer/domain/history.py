"""Which turns without an answer stay in their session's history."""

from shared.events import TurnCancelled


def is_history(event: TurnCancelled) -> bool:
    """Not where another turn stands in its place, nor where its event says too little: version 0.1 left out
    what was asked."""
    return event.why != "replaced" and bool(event.input)
