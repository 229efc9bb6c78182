"""Topic, intent, keywords and quality by plain means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.turn.labels import intent_of, keywords_of, labels_of, quality_of
from shared.language.words import STOP_WORDS
from tests.unit.samples import passage, turn

text = st.text(max_size=200)


def test_keywords_are_what_the_turn_is_about_the_heaviest_first() -> None:
    said = "My sister Mira lives in Lisbon and keeps bees. The bees make honey."

    assert keywords_of(said, "") == ["bees", "mira", "lisbon", "sister", "lives", "keeps", "make", "honey"]


def test_what_the_user_said_weighs_more_than_what_was_answered() -> None:
    assert keywords_of("roses", "tulips tulips") == ["roses", "tulips"]
    assert keywords_of("roses", "tulips tulips tulips") == ["tulips", "roses"]


def test_a_capital_makes_a_name_only_inside_a_sentence() -> None:
    assert keywords_of("Bread with cheese", "") == ["bread", "cheese"]
    assert keywords_of("bread with Cheese", "") == ["cheese", "bread"]
    assert keywords_of("Is it late? Bread! Cheese.\n Milk with honey", "") == [
        "late",
        "bread",
        "cheese",
        "milk",
        "honey",
    ]


def test_a_possessive_is_the_word_that_it_belongs_to() -> None:
    assert keywords_of("Mira's bees and Mira\u2019s honey", "")[0] == "mira"


@given(text, text)
def test_keywords_are_few_different_and_mean_something(said: str, answered: str) -> None:
    keywords = keywords_of(said, answered)

    assert len(keywords) == len(set(keywords)) <= 8
    assert not set(keywords) & STOP_WORDS
    assert all(len(keyword) >= 3 for keyword in keywords)


@pytest.mark.parametrize(
    ("said", "intent"),
    [
        ("Where does Mira live?", "question"),
        ("where does mira live", "question"),
        ("She lives in Lisbon?", "question"),
        ("Mira lives in Lisbon.", "statement"),
        ("Hello there", "greeting"),
        ("Hi, how are you?", "question"),
        ("Thanks!", "greeting"),
        ("Please book a table.", "request"),
        ("Explain quicksort", "request"),
        ("Is?  ", "question"),
        ("42", "statement"),
        ("", "statement"),
        ("...", "statement"),
    ],
)
def test_the_intent_follows_the_first_word_and_the_last_character(said: str, intent: str) -> None:
    assert intent_of(said) == intent


@given(text)
def test_every_text_has_one_of_four_intents(said: str) -> None:
    assert intent_of(said) in {"question", "greeting", "request", "statement"}


def test_quality_comes_from_the_end_the_ground_and_the_substance_of_an_answer() -> None:
    grounded = [passage(1, "a", similarity=0.5), passage(2, "b", similarity=1.0)]

    assert quality_of("In Lisbon, I believe.", "stop", grounded) == 1.0
    assert quality_of("In Lisbon, I believe.", "stop", []) == 0.7
    assert quality_of("In Lisbon, I believe.", "length", []) == 0.2
    assert quality_of("Lisbon.", "stop", []) == 0.5
    assert quality_of("", "", [passage(1, "a", similarity=-1.0)]) == 0.0


@given(
    text, st.sampled_from(["stop", "length", "abort", ""]), st.lists(st.floats(-1.0001, 1.0001), max_size=5)
)
def test_quality_lies_between_0_and_1(output: str, reason: str, similarities: list[float]) -> None:
    passages = [passage(i, "a", similarity=similarity) for i, similarity in enumerate(similarities)]

    assert 0.0 <= quality_of(output, reason, passages) <= 1.0


def test_a_quoted_answer_gives_no_keywords() -> None:
    labels = labels_of(turn("Where is Mira?", output="Keep bees.", quoted=True, finish_reason="stop"))

    assert labels.keywords == ["mira"]
    assert labels.topic == "mira"
    assert labels.intent == "question"


def test_the_topic_is_the_three_heaviest_keywords() -> None:
    assert labels_of(turn("Bees make honey, honey feeds bears")).topic == "honey bees make"
