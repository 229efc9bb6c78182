"""Whether a text asks."""

import pytest

from shared.language.questions import asked_kind, is_question, is_request_to_tell, only_asks


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Where is it", True),
        ("It rains?", True),
        ("is it late", True),
        ("Isn\u2019t it late", True),
        ("Must I go", True),
        ("\u3069\u3053\u3067\u3059\u304b\uff1f", True),
        ("I moved to Rome. And you?", True),
        ("Where does Mira live? I forgot.", True),
        ("Where does Mira live?)", True),
        ("At which place is the party? Ada didn't believe it.", True),
        ("What is my name.", True),
        ("Where does Mira live. I forgot it.", True),
        ("Can you tell me where Mira lives.", True),
        ("Guess what? I moved to Rome.", False),
        ("My sister? She lives in Lisbon.", False),
        ("Will moved to Rome.", False),
        ("Should you need me, I am in Rome.", False),
        ("How nice! I moved to Rome.", False),
        ("When I was young I lived in Rome.", False),
        ("I have goulash on the stove.", False),
        ("Don't forget the bees.", False),
        ("What a day!", False),
        ("Tell me more.", False),
        ("My sister Mira lives in Lisbon.", False),
        ("Hello", False),
        ("", False),
    ],
)
def test_a_text_is_a_question_by_its_mark_or_by_how_it_begins_and_ends(text: str, is_one: bool) -> None:
    assert is_question(text) is is_one


def test_a_request_to_tell_is_told_apart() -> None:
    assert is_request_to_tell("Tell me more.")
    assert not is_request_to_tell("Book a table.")


@pytest.mark.parametrize(
    "text", ["Really?", "Oh, nice! Where did you go?", "How are you? And the dog?", 'Did he say "no"?)']
)
def test_some_messages_only_ask(text: str) -> None:
    assert only_asks(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fine.",
        "I went to Rome for a week. And you?",
        "Lisbon, with my sister.",
        "Did my taxes today",
        "See https://pandora.example/find?q=1 for it.",
    ],
)
def test_others_tell_something(text: str) -> None:
    assert not only_asks(text)


def test_the_kind_of_answer_that_is_asked_for_is_named_by_the_question() -> None:
    assert asked_kind("Which city is it, and what dog?") == {"city", "dog"}
    assert asked_kind("What is it?") == set()
