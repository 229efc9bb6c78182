"""What a turn is refused for."""

import re

from shared.contract.errors import Refused

_TURN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SessionBusy(Refused):
    """409: a turn of the session runs, and the new one was to run only where none does."""

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


def checked_id(turn_id: str) -> str:
    """Raises Refused (404)."""
    if not _TURN_ID.fullmatch(turn_id):
        raise no_such_turn(turn_id)
    return turn_id


def checked_size(text: str, limit_bytes: int, field: str) -> str:
    """Raises Refused: 422 where the text is blank, 413 where it is too long."""
    if not text.strip():
        raise Refused(422, f"{field} is empty; say something", field)
    return checked_bytes(text, limit_bytes, field)


def checked_bytes(text: str, limit_bytes: int, field: str) -> str:
    """Raises Refused (413) where the text is too long."""
    size = len(text.encode())
    if size > limit_bytes:
        raise Refused(
            413, f"{field} has {size} bytes; at most {limit_bytes} are taken (INPUT_LIMIT_BYTES)", field
        )
    return text
