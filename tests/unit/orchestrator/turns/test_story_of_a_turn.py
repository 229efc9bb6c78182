"""What was sent on a turn's stream, made into one story."""

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.turn.live_events import story_of
from shared.contract.events import AnyLiveEvent, OutputDelta, OutputRestarted, output_of


def delta(index: int, text: str = "x", attempt: int = 1) -> OutputDelta:
    return OutputDelta(index=index, text=text, attempt=attempt)


def test_what_was_lost_has_an_empty_piece_of_the_same_attempt_in_its_place() -> None:
    story = story_of([delta(0, "a"), OutputRestarted(index=1, attempt=5), delta(3, "c", 5)])

    assert story[2] == delta(2, "", 5)
    assert output_of(story) == "c"


def test_a_zombie_says_nothing_behind_the_beginning_of_a_later_attempt() -> None:
    zombie = [delta(2, "old"), delta(3, "old"), delta(4, "old")]
    story = story_of([delta(0), OutputRestarted(index=2, attempt=2), *zombie, delta(3, "new", 2)])

    assert [event.attempt for event in story] == [1, 1, 2, 2, 2]
    assert output_of(story) == "new"


events = st.builds(delta, st.integers(0, 30), st.sampled_from("abc"), st.integers(1, 4))


@given(st.lists(events, max_size=40))
def test_a_story_has_each_index_once_and_its_attempts_only_rise(sent: list[AnyLiveEvent]) -> None:
    story = story_of(sent)

    assert [event.index for event in story] == list(range(len(story)))
    assert [event.attempt for event in story] == sorted(event.attempt for event in story)
    assert story_of(story) == story
