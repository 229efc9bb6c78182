"""The live events of a turn: its first one, and what all of them say about it."""

from collections.abc import Iterable, Sequence

from services.orchestrator.turn.state import Turn
from shared.contract.derivation import derive
from shared.contract.events import AnyLiveEvent, OutputDelta, Queued


def queued(turn: Turn, sent: Sequence[AnyLiveEvent]) -> Queued:
    """The turn is accepted. It follows all events in `sent`."""
    return derive(Queued, turn, turn.request, index=len(sent))


def story_of(sent: Iterable[AnyLiveEvent]) -> list[AnyLiveEvent]:
    """The turn's events in order, each index once, without what a later attempt has made void.

    A process that does not know yet that its turn was taken over may still send: of two events at one index
    the later attempt's counts, and behind a later attempt's beginning nothing of an earlier one does. What a
    server lost in a crash was text that is void by now: an empty piece stands for it.
    """
    latest: dict[int, AnyLiveEvent] = {}
    for event in sent:
        known = latest.get(event.index)
        if known is None or known.attempt < event.attempt:
            latest[event.index] = event
    story: list[AnyLiveEvent] = []
    for index in range(max(latest, default=-1) + 1):
        attempt = story[-1].attempt if story else 1
        found = latest.get(index)
        if found is None or found.attempt < attempt:
            found = OutputDelta(index=index, attempt=attempt, text="")
        story.append(found)
    return story
