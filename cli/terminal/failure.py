"""How a command ends that could not do its work."""

from collections.abc import Sequence


class CommandFailed(Exception):
    """The message says what happened and what to do next. `tail` goes below it: the last lines of a log."""

    def __init__(self, message: str, exit_status: int = 1, tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.tail = tail
