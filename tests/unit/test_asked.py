"""What is understood of a question."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.domain.asked import Asked, is_question, periods_of, tells_time, understand

NOW = datetime(2025, 8, 14, 10, tzinfo=UTC)
"""A Thursday."""
SPEAKERS = ["caroline", "Mark", "Will", "May", "Maria Lopez", "assistant", "user"]


def understood(query: str) -> Asked:
    return understand(query, SPEAKERS, NOW)


def days(query: str) -> list[tuple[str, str]]:
    return [(f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}") for begin, end in periods_of(query, NOW)]


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


@pytest.mark.parametrize(
    ("query", "periods"),
    [
        ("What did she do on 7 May 2023?", [("2023-05-07", "2023-05-08")]),
        ("What did she do on May 7th, 2023?", [("2023-05-07", "2023-05-08")]),
        ("What was on 2024-02-29?", [("2024-02-29", "2024-03-01")]),
        ("What was in 2024-02?", [("2024-02-01", "2024-03-01")]),
        ("What did we plan for May 2023?", [("2023-05-01", "2023-06-01")]),
        ("What did we do in December 2024?", [("2024-12-01", "2025-01-01")]),
        ("Who came in 2024?", [("2024-01-01", "2025-01-01")]),
        ("Who came yesterday?", [("2025-08-13", "2025-08-14")]),
        ("Who came the day before yesterday?", [("2025-08-12", "2025-08-13")]),
        ("Who came last week?", [("2025-08-04", "2025-08-11")]),
        ("Who came last weekend?", [("2025-08-09", "2025-08-11")]),
        ("Who came this month?", [("2025-08-01", "2025-09-01")]),
        ("Who came last month?", [("2025-07-01", "2025-08-01")]),
        ("Who came last year?", [("2024-01-01", "2025-01-01")]),
        ("Who came on Thursday?", [("2025-08-07", "2025-08-08")]),
        ("Who came last Wednesday?", [("2025-08-13", "2025-08-14")]),
        ("Who came in the past three days?", [("2025-08-11", "2025-08-15")]),
        ("Who came two weeks ago?", [("2025-07-28", "2025-08-04")]),
        ("May I ask who came?", []),
        ("Who can march for 3 days?", []),
    ],
)
def test_the_time_that_a_question_names(query: str, periods: list[tuple[str, str]]) -> None:
    assert days(query) == periods


def test_a_month_without_a_year_may_be_that_of_any_late_year() -> None:
    assert days("Who came in June?")[:2] == [("2025-06-01", "2025-07-01"), ("2024-06-01", "2024-07-01")]
    assert days("Who came in summer?")[0] == ("2025-06-01", "2025-09-01")
    assert days("Who came last winter?")[1] == ("2024-12-01", "2025-03-01")


def test_a_day_that_is_in_no_calendar_is_read_as_its_month() -> None:
    assert days("What was on 30 February 2025?") == [("2025-02-01", "2025-03-01")]
    assert days("What was on 2025-13-01?") == []


def test_some_questions_ask_for_a_time_and_some_for_what_is_so_now() -> None:
    assert understood("When is the exam?").wants_time
    assert understood("How long has she lived there?").wants_time
    assert not understood("Where is the exam?").wants_time
    assert understood("Where does she work now?").wants_newest
    assert not understood("Where did she work?").wants_newest


@pytest.mark.parametrize("text", ["Really?", "Oh, nice! Where did you go?", "How are you? And the dog?"])
def test_some_messages_only_ask(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize(
    "text", ["", "Fine.", "I went to Rome for a week. And you?", "Lisbon, with my sister."]
)
def test_others_tell_something(text: str) -> None:
    assert not is_question(text)


@pytest.mark.parametrize(
    "text", ["I left two days ago.", "On Friday!", "Since 2019.", "At 9 am", "next month"]
)
def test_some_messages_tell_a_time(text: str) -> None:
    assert tells_time(text)


def test_others_do_not() -> None:
    assert not tells_time("I keep bees in Lisbon.")


@given(st.text(max_size=80), st.lists(st.text(max_size=12), max_size=3))
def test_anything_can_be_asked(query: str, speakers: list[str]) -> None:
    asked = understand(query, speakers, NOW)

    assert asked.speakers <= set(speakers)
    assert all(begin < end for begin, end in asked.periods)
    assert bool(asked.text_for_meaning.strip()) == bool(query.strip())
