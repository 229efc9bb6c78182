"""Refusals of the gateway's own that say more than a status and a sentence."""

from shared.errors import Refused


class SessionBusy(Refused):
    """409: the session has a turn that runs, and the new one was to run only if it had none."""

    def __init__(self, session_id: str, turn_id: str | None) -> None:
        running = f" with turn {turn_id}" if turn_id else ""
        super().__init__(
            409,
            f"session {session_id} is busy{running}; send the turn again when that one has ended, "
            "or with another `if_busy`: enqueue, interrupt or replace",
            "if_busy",
        )
        self.turn_id = turn_id


def no_such_turn(turn_id: str) -> Refused:
    return Refused(404, f"there is no turn {turn_id!r}; a turn's id is what POST /v1/turns answered")


def checked_size(text: str, limit: int, field: str) -> str:
    """Raises Refused: 422 for what says nothing, 413 for what says too much."""
    if not text.strip():
        raise Refused(422, f"{field} is empty; say something", field)
    size = len(text.encode())
    if size > limit:
        raise Refused(413, f"{field} has {size} bytes; at most {limit} are taken (INPUT_LIMIT_BYTES)", field)
    return text
