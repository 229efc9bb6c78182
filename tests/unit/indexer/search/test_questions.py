"""What is understood of a question."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.search.questions import Asked, understand

NOW = datetime(2025, 8, 14, 10, tzinfo=UTC)
"""A Thursday."""
SPEAKERS = ["caroline", "Mark", "Will", "May", "Maria Lopez", "assistant", "user"]


def understood(query: str) -> Asked:
    return understand(query, SPEAKERS, NOW)


@pytest.mark.parametrize(
    ("query", "speakers", "left"),
    [
        ("Where did Caroline's sister go?", {"caroline"}, "Where did sister go?"),
        ("What did Mark tell Caroline?", {"Mark", "caroline"}, "What did tell ?"),
        ("Where does Maria live?", {"Maria Lopez"}, "Where does live?"),
        ("Where does MARIA LOPEZ live?", {"Maria Lopez"}, "Where does live?"),
        ("Will it rain in May?", {"May"}, "Will it rain in ?"),
        ("What will mark the end?", set(), "What will mark the end?"),
        ("What did Will mark?", {"Will"}, "What did mark?"),
        ("Will's dog?", {"Will"}, "dog?"),
        ("What does the user manual say?", set(), "What does the user manual say?"),
        ("Is Carolines a name?", set(), "Is Carolines a name?"),
    ],
)
def test_a_named_speaker_is_told_apart_and_left_out_for_meaning(
    query: str, speakers: set[str], left: str
) -> None:
    asked = understood(query)

    assert asked.speakers == speakers
    assert asked.text_for_meaning.replace(" ?", "?") == left.replace(" ?", "?")
    assert asked.text_for_words == query


def test_a_question_that_is_only_a_name_stays_one() -> None:
    assert understood("Caroline?").text_for_meaning == "Caroline?"


@pytest.mark.parametrize(
    ("query", "me", "assistant"),
    [
        ("Where did I park my car?", True, False),
        ("What's the name of the hotel you recommended to me?", False, True),
        ("Can you remind me where I put the key?", True, False),
        ("Could you please tell me what Caroline eats?", False, False),
        ("Do you remember which wine I like?", True, False),
        ("I remember you told me about a museum, which one?", False, True),
        ("What did the assistant suggest?", False, True),
        ("What did I tell you about my dog?", True, False),
        ("What do you know about my job?", True, False),
        ("Do you think I should sell my car?", True, False),
        ("Where does Caroline live?", False, False),
    ],
)
def test_who_a_question_is_about(query: str, me: bool, assistant: bool) -> None:
    asked = understood(query)

    assert (asked.about_me, asked.about_assistant) == (me, assistant)


def test_polite_words_find_nothing() -> None:
    asked = understood("Can you remind me which hotel in Rome you recommended in our previous conversation?")

    assert asked.text_for_words.split() == ["which", "hotel", "in", "Rome", "you", "recommended", "?"]


def test_some_questions_ask_for_a_time_and_some_for_what_is_so_now() -> None:
    assert understood("When is the exam?").wants_time
    assert understood("How long has she lived there?").wants_time
    assert not understood("Where is the exam?").wants_time
    assert understood("Where does she work now?").wants_newest
    assert not understood("Where did she work?").wants_newest


@given(st.text(max_size=80), st.lists(st.text(max_size=12), max_size=3))
def test_anything_can_be_asked(query: str, speakers: list[str]) -> None:
    asked = understand(query, speakers, NOW)

    assert asked.speakers <= set(speakers)
    assert all(begin < end for begin, end in asked.periods)
    assert bool(asked.text_for_meaning.strip()) == bool(query.strip())
