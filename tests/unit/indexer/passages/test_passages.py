"""What of a message is searched, and beside what."""

from collections.abc import Sequence

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.indexer.passages.message import StoredMessage
from services.indexer.passages.passage import Passage, near_vectors, passages_of, runs_of
from tests.unit.samples import AT, message

sessions = st.lists(
    st.integers(0, 400).map(lambda words: " ".join(f"w{n}" for n in range(words))), min_size=1, max_size=6
)


def session(*texts: str) -> list[StoredMessage]:
    return [message(place, text) for place, text in enumerate(texts)]


def words(count: int, first: int = 0) -> str:
    return " ".join(f"w{n}" for n in range(first, first + count))


def searched(passages: Sequence[Passage]) -> list[tuple[str, str, str]]:
    return [(passage.before, passage.text, passage.after) for passage in passages]


def test_a_message_is_searched_with_those_right_beside_it() -> None:
    assert searched(passages_of(session("One", "Two", "Three"))) == [
        ("", "One", "Two"),
        ("One", "Two", "Three"),
        ("Two", "Three", ""),
    ]


def test_what_stands_beside_is_joined_by_lines() -> None:
    assert [passage.words_near for passage in passages_of(session("One", "Two"))] == ["One\nTwo", "One\nTwo"]
    assert passages_of(session("Alone"))[0].words_near == "Alone"


def test_the_name_of_whoever_is_neither_user_nor_assistant_stands_in_the_words_and_not_in_the_vector() -> (
    None
):
    said = [
        message(0, "Hi", speaker="Caroline", role="other"),
        message(1, "Hello", speaker="assistant", role="assistant"),
        message(2, "Well", speaker="alice", role="user"),
    ]

    passages = passages_of(said)

    assert [passage.text for passage in passages] == ["Hi", "Hello", "Well"]
    assert [passage.words for passage in passages] == ["Caroline: Hi", "Hello", "Well"]
    assert passages[1].words_near == "Caroline: Hi\nHello\nWell"


def test_a_short_message_is_searched_as_it_was_written() -> None:
    text = "  Two\n\n  lines " + words(150)

    assert [passage.text for passage in passages_of(session(text))] == [text]


def test_a_long_message_is_searched_in_parts_that_overlap() -> None:
    passages = passages_of([message(0, words(300), speaker="Caroline", role="other")])

    assert [passage.text for passage in passages] == [words(160), words(160, 130), words(40, 260)]
    assert [passage.words for passage in passages] == [f"Caroline: {passage.text}" for passage in passages]
    assert [passage.part for passage in passages] == [0, 1, 2]
    assert (passages[0].after, passages[1].before) == (passages[1].words, passages[0].words)


@pytest.mark.parametrize(("count", "parts"), [(0, 1), (1, 1), (160, 1), (161, 2), (290, 2), (291, 3)])
def test_no_part_holds_only_what_the_one_before_it_ends_with(count: int, parts: int) -> None:
    assert len(passages_of(session(words(count)))) == parts


def test_the_first_part_has_the_messages_own_id_and_every_part_another() -> None:
    """The numbers are in people's stores."""
    said = message(0, words(300))
    first, second, third = passages_of([said])

    assert first.id == said.point_id
    assert str(second.id) == "5d2573fe-7766-5d0c-98cd-44b466786d4d"
    assert len({first.id, second.id, third.id}) == 3


def test_the_payload_tells_whose_it_is_and_what_ranking_and_filters_ask_for() -> None:
    said = message(3, "Did Mira move in May?", speaker="Caroline", role="other", session_id="D1", uses=2)

    assert passages_of([said])[0].payload() == {
        "message": str(said.point_id),
        "part": 0,
        "user": "alice",
        "session_id": "D1",
        "ordinal": 3,
        "speaker": "caroline",
        "role": "other",
        "timestamp": said.at.isoformat(),
        "asks": True,
        "tells_time": True,
        "length": 5,
        "uses": 2,
        "is_echo": "no",
    }


def test_the_payload_of_a_turn_is_the_one_of_seed_003() -> None:
    labels = {"topic": "bees", "intent": "question", "quality": 0.5}
    said = message(0, "Who?", turn_id="t7", turn_number=7, labels=labels, is_echo=True, at=AT)

    payload = passages_of([said])[0].payload()

    assert {"turn_id": "t7", "turn_number": 7, "session_id": "kitchen", "is_echo": "yes"}.items() <= (
        payload.items()
    )
    assert labels.items() <= payload.items()
    assert payload["timestamp"] == AT.isoformat()


def test_messages_without_a_gap_are_one_run() -> None:
    kitchen = [message(place, "x") for place in (0, 1, 3, 4)]
    garden = [message(place, "x", session_id="garden") for place in (5, 6)]
    of_bob = [message(7, "x", session_id="garden", user="bob")]

    assert runs_of([*kitchen, *garden, *of_bob]) == [kitchen[:2], kitchen[2:], garden, of_bob]
    assert runs_of([]) == []


def test_a_passage_lies_half_as_near_to_those_beside_it() -> None:
    one, two, three = numpy.eye(3, dtype=numpy.float32)

    near = near_vectors(numpy.stack([one, two, three]))

    assert near[0] == pytest.approx(numpy.array([1.0, 0.5, 0.0]) / 1.25**0.5)
    assert near[1] == pytest.approx(numpy.array([0.5, 1.0, 0.5]) / 1.5**0.5)
    assert near[2] == pytest.approx(numpy.array([0.0, 0.5, 1.0]) / 1.25**0.5)


def test_a_passage_alone_lies_where_it_lies_and_no_vector_is_changed() -> None:
    vectors = numpy.array([[0.6, 0.8]], numpy.float32)

    assert near_vectors(vectors) == pytest.approx(vectors)
    pair = numpy.array([[0.6, 0.8], [-0.6, -0.8]], numpy.float32)
    kept = pair.copy()
    near_vectors(pair)
    assert (pair == kept).all()


@given(arrays(numpy.float32, st.tuples(st.integers(1, 6), st.just(4)), elements=st.floats(-1, 1, width=32)))
def test_near_vectors_have_length_one_or_point_nowhere(vectors: numpy.ndarray) -> None:
    lengths = numpy.linalg.norm(near_vectors(vectors), axis=1)

    assert ((lengths < 1.001) & numpy.isfinite(lengths)).all()


@given(sessions)
def test_every_word_is_in_a_passage_and_no_passage_is_longer_than_the_model_reads(texts: list[str]) -> None:
    said = session(*texts)
    passages = passages_of(said)

    for one in said:
        own = [passage for passage in passages if passage.message is one]
        assert [passage.part for passage in own] == list(range(len(own)))
        assert set(one.text.split()) == {word for passage in own for word in passage.text.split()}
    assert all(len(passage.text.split()) <= 160 for passage in passages)
    assert len({passage.id for passage in passages}) == len(passages)


@given(sessions)
def test_what_stands_beside_a_passage_are_the_words_of_the_next_one(texts: list[str]) -> None:
    passages = passages_of(session(*texts))

    assert [passage.after for passage in passages[:-1]] == [passage.words for passage in passages[1:]]
    assert [passage.before for passage in passages[1:]] == [passage.words for passage in passages[:-1]]
    assert (passages[0].before, passages[-1].after) == ("", "")
