"""What the live events of a turn say about it."""

from collections.abc import Sequence

from shared.events import AnyLiveEvent, OutputDelta, OutputRestarted


def output_of(events: Sequence[AnyLiveEvent]) -> str:
    """The text so far, without what a restart has made void."""
    texts: list[str] = []
    for event in events:
        if isinstance(event, OutputDelta):
            texts.append(event.text)
        elif isinstance(event, OutputRestarted):
            texts.clear()
    return "".join(texts)
