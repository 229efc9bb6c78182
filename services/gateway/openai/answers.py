"""What a chat completion shows of a turn's events."""

from collections.abc import Iterable

from services.gateway.live.joining import Frame
from shared.contract.errors import Refused
from shared.contract.events import (
    AnyLiveEvent,
    Cancelled,
    Failed,
    OutputDelta,
    OutputRestarted,
    Saved,
    decode_live,
)

_SHOWN = frozenset(
    {"tool.waiting", "output.delta", "output.restarted", "turn.saved", "turn.failed", "turn.cancelled"}
)


def read_events(frames: Iterable[Frame]) -> list[AnyLiveEvent]:
    return [decode_live(frame.body) for frame in frames if frame.type in _SHOWN]


def outcome_of(event: AnyLiveEvent) -> Saved | None:
    """Returns None for an event that is not the last. Raises Refused where the turn has no answer."""
    match event:
        case Saved():
            return event
        case Failed(reason=reason, detail=detail):
            raise Refused(422 if reason == "refused" else 500, f"the turn failed ({reason}): {detail}")
        case Cancelled(turn_id=turn_id):
            raise Refused(500, f"turn {turn_id} was stopped before its answer was complete")
        case _:
            return None


class Spoken:
    """The text that a client has, which no later event can take back."""

    def __init__(self, *, is_held: bool = False) -> None:
        """`is_held`: nothing is said before the answer is saved, as what was said may be void by now."""
        self._is_held = is_held
        self._sent = ""
        self._now = ""

    def news(self, event: AnyLiveEvent) -> str:
        """Returns what the client does not have yet.

        Raises Refused where an answer that began again is another one than that which was sent.
        """
        match event:
            case OutputRestarted():
                self._now = ""
                return ""
            case OutputDelta(text=text) if not self._is_held:
                return self._up_to(self._now + text)
            case Saved(output=output):
                return self._up_to(output)
            case _:
                return ""

    def _up_to(self, now: str) -> str:
        self._now, sent = now, self._sent
        if sent.startswith(now):
            return ""
        if not now.startswith(sent):
            raise Refused(500, "the answer was revised while it was sent; send the same request again")
        self._sent = now
        return now[len(sent) :]
