"""Puts the live events of one turn in order: each index once, no gap, no event of a void attempt."""

from collections.abc import Iterable

import msgspec

from shared.contract.events import LAST_EVENTS, UNREADABLE

_LAST_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in LAST_EVENTS)


class Frame(msgspec.Struct, frozen=True):
    """A live event as it came, with what is needed to pass it on."""

    index: int
    type: str
    body: bytes
    attempt: int = 1

    @property
    def is_last(self) -> bool:
        return self.type in _LAST_TYPES


class _Head(msgspec.Struct):
    type: str
    index: int
    attempt: int = 1


_head = msgspec.json.Decoder(_Head)


def frame_of(body: bytes | msgspec.Raw) -> Frame | None:
    """Returns None for what is not a live event: any client may publish on the subject."""
    try:
        head = _head.decode(body)
    except UNREADABLE:
        return None
    return Frame(head.index, head.type, bytes(body), head.attempt)


class Joining:
    """What one reader has of a turn, and what it waits for.

    An event is void where an event of a later attempt is known at its index or before. A later attempt goes
    on at the index after the last one that it knows; an orchestrator that has lost its turn, and does not
    know it yet, still sends. Events of the earlier attempt before that index stay valid.
    """

    def __init__(self, after: int = -1) -> None:
        self.wanted = after + 1
        """The index that the reader gets next."""
        self.highest = -1
        """The highest index that is known to exist."""
        self.last: int | None = None
        """The index of the turn's last event, once it is known."""
        self.pending: dict[int, Frame] = {}
        self._highest_attempt = 1
        self._begins = {1: 0}
        """The lowest known index of each attempt."""

    @property
    def has_gap(self) -> bool:
        """A later event is known, and the next one is missing."""
        return self.wanted <= self.highest and self.wanted not in self.pending

    @property
    def is_over(self) -> bool:
        return self.last is not None and self.wanted > self.last

    def note(self, frame: Frame) -> bool:
        """Learns that the event exists, without keeping it. Returns False where it is void."""
        begin = self._begins.get(frame.attempt)
        if (len(self._begins) > 1 or begin is None) and self._is_void(frame):
            return False
        if begin is None or frame.index < begin:
            self._begins[frame.attempt] = frame.index
            self._void_earlier_attempts(frame)
        if frame.index >= self.highest:
            self.highest, self._highest_attempt = frame.index, frame.attempt
        if frame.is_last:
            self.last = frame.index
        return True

    def add(self, frame: Frame) -> None:
        if self.note(frame) and frame.index >= self.wanted:
            self.pending.setdefault(frame.index, frame)

    def take(self) -> list[Frame]:
        """Returns the events that come next, in order."""
        run: list[Frame] = []
        while (frame := self.pending.pop(self.wanted, None)) is not None:
            run.append(frame)
            self.wanted += 1
            if frame.is_last:  # A reader waits for no event after it.
                break
        return run

    def forget(self) -> None:
        """Drops the events after a gap. That they exist stays known."""
        self.pending.clear()

    def _is_void(self, frame: Frame) -> bool:
        return any(
            frame.attempt < attempt and begin <= frame.index for attempt, begin in self._begins.items()
        )

    def _void_earlier_attempts(self, first: Frame) -> None:
        self.pending = {
            index: frame
            for index, frame in self.pending.items()
            if index < first.index or frame.attempt >= first.attempt
        }
        if self.highest >= first.index and self._highest_attempt < first.attempt:
            self.highest, self._highest_attempt = first.index, first.attempt
            self.last = None


def frames_in_order(bodies: Iterable[bytes]) -> list[Frame]:
    """Returns the events that are not void, each index once, also those after a gap."""
    joining = Joining()
    for body in bodies:
        if (frame := frame_of(body)) is not None:
            joining.add(frame)
    return [joining.pending[index] for index in sorted(joining.pending)]
