"""Server-sent events, byte by byte."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.live.joining import Frame
from services.gateway.live.sse import event_bytes, event_stream
from shared.contract.events import OutputDelta, decode_live, encode


def frame(index: int, text: str) -> Frame:
    event = OutputDelta(index=index, text=text)
    return Frame(index, event.type, encode(event))


def test_an_event_has_its_index_its_type_and_its_body() -> None:
    assert event_bytes([frame(4, "In Lisbon")]) == (
        b'id: 4\nevent: output.delta\ndata: {"type":"output.delta","index":4,"text":"In Lisbon"}\n\n'
    )


def test_events_that_are_there_together_are_sent_together() -> None:
    assert event_bytes([frame(4, "a"), frame(5, "b")]) == event_bytes([frame(4, "a")]) + event_bytes(
        [frame(5, "b")]
    )


@given(st.lists(st.text(max_size=50), max_size=5))
def test_no_text_breaks_out_of_its_event(texts: list[str]) -> None:
    """A line break in a token would end the `data` line early."""
    frames = [frame(index, text) for index, text in enumerate(texts)]

    blocks = event_bytes(frames).split(b"\n\n")

    assert blocks.pop() == b""
    for sent, block in zip(frames, blocks, strict=True):
        number, name, data = block.split(b"\n")
        assert (number, name) == (b"id: %d" % sent.index, b"event: output.delta")
        assert b"\r" not in data
        assert decode_live(data.removeprefix(b"data: ")) == decode_live(sent.body)


class Read:
    """A reader who has read these runs of events."""

    def __init__(self, *runs: list[Frame]) -> None:
        self.runs = list(runs)

    @property
    def ended(self) -> bool:
        return not self.runs

    async def read(self, silence_seconds: float) -> list[Frame]:
        return self.runs.pop(0)


async def test_a_silent_turn_sends_comments_and_its_reader_is_let_go_at_the_end() -> None:
    left = False

    @asynccontextmanager
    async def follow() -> AsyncIterator[Read]:
        nonlocal left
        yield Read([frame(0, "a"), frame(1, "b")], [], [frame(2, "c")])
        left = True

    chunks = [chunk async for chunk in event_stream(follow(), 15.0)]

    assert chunks == [
        event_bytes([frame(0, "a"), frame(1, "b")]),
        b": still here\n\n",
        event_bytes([frame(2, "c")]),
    ]
    assert left


async def test_what_was_read_before_the_stream_began_is_sent_first_and_an_end_is_no_heartbeat() -> None:
    @asynccontextmanager
    async def follow() -> AsyncIterator[Read]:
        yield Read([])

    chunks = [chunk async for chunk in event_stream(follow(), 15.0, [frame(0, "a")])]

    assert chunks == [event_bytes([frame(0, "a")])]
