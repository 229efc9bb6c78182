"""What went wrong with the messages that one process has in hand."""

from collections import OrderedDict
from typing import Final

import msgspec

_LONGEST_TEXT: Final = 1000
_MESSAGES_REMEMBERED: Final = 10_000


class Trouble(msgspec.Struct, kw_only=True):
    """What went wrong with one message so far."""

    attempts: int = 0
    errors: int = 0
    """Attempts that ended in an error, and not because something outside was away."""
    first_error: str = ""
    last_error: str = ""


class Troubles:
    """The troubles of the messages that one process has in hand; the latest ten thousand of them.

    The stream's own count of deliveries would not do: it also rises where a message was handed back at a
    stop. What another process went through, or this one before its start, is not counted.
    """

    def __init__(self) -> None:
        self._by_sequence: OrderedDict[int, Trouble] = OrderedDict()

    def note(self, sequence: int, error: str, *, is_transient: bool) -> Trouble:
        error = error[:_LONGEST_TEXT]
        trouble = self._by_sequence.setdefault(sequence, Trouble(first_error=error))
        self._by_sequence.move_to_end(sequence)
        trouble.attempts += 1
        trouble.errors += not is_transient
        trouble.last_error = error
        if len(self._by_sequence) > _MESSAGES_REMEMBERED:
            self._by_sequence.popitem(last=False)
        return trouble

    def forget(self, sequence: int) -> None:
        self._by_sequence.pop(sequence, None)
