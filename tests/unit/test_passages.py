"""What of a turn is searched, and under which id."""

from hypothesis import given
from hypothesis import strategies as st

from services.indexer.domain.passages import embedding_id, passage_of, searchable_text
from tests.unit.samples import AT, saved

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


def test_a_turn_is_searched_by_what_was_said_and_what_was_answered() -> None:
    assert searchable_text(saved(1, "Where is Mira?", "In Lisbon.")) == "Where is Mira?\nIn Lisbon."


def test_an_answer_that_only_quotes_adds_nothing_to_search() -> None:
    assert searchable_text(saved(1, "Where is Mira?", "In Lisbon.", quoted=True)) == "Where is Mira?"


def test_a_turn_without_an_answer_is_searched_by_what_was_said() -> None:
    assert searchable_text(saved(1, "Where is Mira?", "")) == "Where is Mira?"


def test_the_payload_is_the_one_of_seed_003_and_names_the_owner() -> None:
    assert passage_of(saved(7, user="alice")).payload() == {
        "turn_id": "t7",
        "turn_number": 7,
        "user": "alice",
        "session_id": "kitchen",
        "topic": "hello",
        "intent": "greeting",
        "timestamp": AT.isoformat(),
        "quality": 0.5,
        "is_echo": "no",
    }


def test_a_question_that_was_only_answered_with_quotations_is_an_echo() -> None:
    assert passage_of(saved(7, intent="question", quoted=True)).is_echo
    assert not passage_of(saved(7, intent="question", quoted=False)).is_echo
    assert not passage_of(saved(7, intent="statement", quoted=True)).is_echo


def test_a_turn_has_the_same_point_on_every_machine_and_for_ever() -> None:
    """The number is in people's stores: a changed namespace would index every turn twice."""
    assert str(embedding_id("t7")) == "17632080-5b2b-5f16-92a9-d1fe752818f8"


@given(ids, ids)
def test_two_turns_share_a_point_only_if_they_are_one(one: str, other: str) -> None:
    assert (embedding_id(one) == embedding_id(other)) == (one == other)


@given(st.text(max_size=50), st.text(max_size=50), st.booleans())
def test_a_passage_of_the_same_event_is_the_same(said: str, answered: str, quoted: bool) -> None:
    first, again = (passage_of(saved(7, said, answered, quoted=quoted)) for _ in range(2))

    assert first == again
    assert first.id == embedding_id("t7")
    assert first.text.startswith(said)
