"""What the bench of durable turns makes of what it saw; no speed is asserted."""

import pytest

from bench.turns.memory import GOAL_PERCENT, PARTS, Sample, figures_of
from bench.turns.reader import Reader


def test_growth_is_the_last_quarter_against_the_second() -> None:
    sizes = [50, 100, 300, 110]
    samples = [_sample(turns, size) for turns, size in zip((100, 350, 600, 900), sizes, strict=True)]

    (gateway, *_) = figures_of(samples, 1000)

    assert gateway.value == 10.0
    assert gateway.met is False


def test_shrinking_meets_the_goal() -> None:
    (gateway, *_) = figures_of([_sample(300, 100), _sample(800, 90)], 1000)

    assert gateway.value == -10.0
    assert gateway.goal == GOAL_PERCENT
    assert gateway.met is True


async def test_a_reader_counts_what_came_once_and_in_order() -> None:
    reader = _reader_of(
        b"5\r\nid: 4\nevent: a\ndata: {}\n\nid: 5\nevent: turn.saved\ndata: {}\n\n\r\n0\r\n\r\n"
    )

    await reader.until_ended()

    assert reader.check(4) == 2
    assert reader.check(4, last=5) == 2
    assert reader.last_at > 0


@pytest.mark.parametrize("ids", [(4, 6), (4, 4), (5, 4), ()])
async def test_a_reader_with_a_gap_a_repeat_or_nothing_is_an_error(ids: tuple[int, ...]) -> None:
    reader = _reader_of(b"".join(b"id: %d\nevent: a\ndata: {}\n\n" % number for number in ids))

    with pytest.raises(RuntimeError):
        reader.check(4)


async def test_a_reader_whose_stream_breaks_is_told() -> None:
    reader = Reader("t", None)
    reader.connection_lost(None)

    with pytest.raises(RuntimeError, match="broke"):
        await reader.first_seconds()


def _sample(turns: int, size: int) -> Sample:
    sizes = dict.fromkeys(PARTS, size)
    return Sample(turns=turns, seconds=0.0, bytes=sizes, private=sizes)


def _reader_of(data: bytes) -> Reader:
    reader = Reader("t", None)
    reader.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    reader.data_received(data)
    return reader
