"""The rules by which a reader puts a turn's events in order."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.live.joining import Frame, Joining, frame_of, frames_in_order


def delta(index: int, attempt: int = 1, type: str = "output.delta") -> Frame:
    said = f',"attempt":{attempt}' if attempt > 1 else ""
    return Frame(index, type, f'{{"type":"{type}","index":{index}{said}}}'.encode(), attempt)


def joined(*frames: Frame, after: int = -1) -> Joining:
    joining = Joining(after)
    for frame in frames:
        joining.add(frame)
    return joining


def told(frames: list[Frame]) -> list[tuple[int, int]]:
    return [(frame.index, frame.attempt) for frame in frames]


@given(st.integers(1, 30).flatmap(lambda count: st.tuples(st.just(count), st.permutations(range(count)))))
def test_in_whatever_order_and_however_often_events_come_each_is_told_once_and_in_order(
    given_: tuple[int, list[int]],
) -> None:
    count, order = given_
    joining, out = Joining(), list[Frame]()

    for index in [*order, *order[: count // 2]]:
        joining.add(delta(index))
        out += joining.take()

    assert [frame.index for frame in out] == list(range(count))
    assert not joining.pending


def test_a_reader_gets_what_comes_after_the_event_that_it_names() -> None:
    joining = joined(delta(0), delta(1), delta(2), delta(3), after=1)

    assert told(joining.take()) == [(2, 1), (3, 1)]


def test_a_gap_is_never_skipped() -> None:
    joining = joined(delta(0), delta(2), delta(3, type="turn.saved"))

    assert told(joining.take()) == [(0, 1)]
    assert joining.has_gap
    assert joining.take() == []
    joining.add(delta(1))
    assert told(joining.take()) == [(1, 1), (2, 1), (3, 1)]
    assert joining.is_over


def test_what_was_dropped_is_known_to_be_missing() -> None:
    joining = joined(delta(0))
    joining.note(delta(1))
    joining.take()

    assert joining.has_gap


def test_an_earlier_attempt_that_still_sends_is_not_heard() -> None:
    joining = joined(delta(0), delta(1), delta(2, attempt=2))
    joining.take()

    for index in (2, 3, 4):
        joining.add(delta(index, attempt=1))
    joining.add(delta(5, attempt=1, type="turn.failed"))

    assert joining.take() == []
    assert not joining.has_gap
    assert joining.last is None


def test_what_an_earlier_attempt_sent_after_the_beginning_of_a_later_one_is_dropped() -> None:
    joining = joined(delta(0), delta(2), delta(3), delta(4, type="turn.failed"))

    joining.add(delta(3, attempt=2))
    joining.add(delta(2, attempt=2))
    joining.add(delta(1))

    assert told(joining.take()) == [(0, 1), (1, 1), (2, 2), (3, 2)]
    assert joining.highest == 3
    assert not joining.is_over


def test_what_an_earlier_attempt_sent_before_the_later_one_began_is_heard_also_when_it_comes_late() -> None:
    """After an outage the events of both attempts come out of the store at once."""
    joining = joined(delta(0), delta(3, attempt=2))

    joining.add(delta(1))
    joining.add(delta(2))

    assert told(joining.take()) == [(0, 1), (1, 1), (2, 1), (3, 2)]


def test_a_reader_who_names_the_last_event_has_nothing_to_wait_for() -> None:
    assert joined(delta(0), delta(1, type="turn.saved"), after=1).is_over
    assert joined(delta(0), delta(1, type="turn.saved"), after=99).is_over
    assert not joined(delta(0), delta(1, type="turn.saved"), after=0).is_over


def test_what_is_no_live_event_is_passed_over() -> None:
    bodies = [delta(1).body, b"{}", b"\xff", b'{"type":"x"}', delta(0).body, delta(3).body]

    assert [frame.index for frame in frames_in_order(bodies)] == [0, 1, 3]
    assert frame_of(b"[" * 100_000) is None


def test_the_attempt_of_an_event_is_one_where_it_says_nothing() -> None:
    assert frame_of(delta(4).body) == delta(4)
    assert frame_of(delta(4, attempt=3).body) == delta(4, attempt=3)
