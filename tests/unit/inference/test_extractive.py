"""The engine without a model: what it answers, and what it never says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.extractive.answer import NOTED, NOTHING_KNOWN, find_answer, split_words
from services.inference.extractive.pieces import pieces_of
from shared.contract.requests import Passage

MIRA = "My sister Mira lives in Lisbon and keeps bees."


def passage(
    text: str, similarity: float = 0.6, number: int = 1, output: str = "", quoted: bool = True
) -> Passage:
    return Passage(
        id=f"turn-{number}",
        turn_id=f"turn-{number}",
        turn_number=number,
        score=0.9,
        similarity=similarity,
        input=text,
        output=output,
        quoted=quoted,
    )


@pytest.mark.parametrize(
    ("question", "similarity"),
    [
        ("Where does my sister Mira live?", 0.8),
        ("Where does my sister Mira live?", 0.1),
        ("where does mira live", 0.5),
        ("Which city is Mira's home?", 0.55),
        ("Does my sister Mira live in Lisbon?", 0.9),
        ("What does Mira keep?", 0.6),
        ("Who keeps bees?", 0.5),
        ("Tell me about Mira", 0.6),
    ],
)
def test_a_question_is_answered_with_the_sentence_that_matches(question: str, similarity: float) -> None:
    answer = find_answer(question, [passage(MIRA, similarity)])

    assert answer.text == f"{MIRA} (turn 1)"
    [source] = answer.sources
    assert (source.turn_id, source.turn_number, source.score, source.quote) == ("turn-1", 1, 0.9, MIRA)


def test_an_imported_message_is_quoted_with_its_speaker_and_its_day() -> None:
    """Two sessions may call a message the same."""
    at = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    here, there = (
        Passage(
            id="D1:3",
            session_id=session,
            speaker="Mel",
            at=at,
            score=0.5,
            similarity=0.6,
            input=f"{who} keeps bees.",
        )
        for session, who in (("D1", "Tom"), ("D2", "Mira"))
    )

    answer = find_answer("Who keeps bees?", [here, there])

    assert "Tom keeps bees. (Mel, 8 May 2023)" in answer.text
    assert sorted((source.session_id, source.id, source.quote) for source in answer.sources) == [
        ("D1", "D1:3", "Tom keeps bees."),
        ("D2", "D1:3", "Mira keeps bees."),
    ]


def test_turns_of_an_orchestrator_that_gives_no_ids_yet_are_told_apart() -> None:
    older = [
        Passage(turn_id=f"t{n}", turn_number=n, score=0.5, similarity=0.6, input=f"{who} keeps bees.")
        for n, who in ((3, "Tom"), (4, "Mira"))
    ]

    answer = find_answer("Who keeps bees?", older)

    assert sorted((source.turn_number, source.quote) for source in answer.sources) == [
        (3, "Tom keeps bees."),
        (4, "Mira keeps bees."),
    ]


@pytest.mark.parametrize(
    ("question", "similarity"),
    [
        ("What is the capital of France?", 0.1),
        ("Where does Anna live?", 0.5),
        ("How old is my brother?", 0.4),
        ("What is the best way to cook rice?", 0.2),
        ("???", 0.6),
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(question: str, similarity: float) -> None:
    answer = find_answer(question, [passage(MIRA, similarity)])

    assert answer.text == NOTHING_KNOWN == "Nothing is known about that."
    assert answer.sources == []


def test_a_name_of_the_question_must_be_in_the_answer() -> None:
    answer = find_answer("Where does Anna live?", [passage(MIRA, 0.9)])

    assert answer.text == NOTHING_KNOWN


def test_a_statement_is_noted() -> None:
    assert find_answer(MIRA, []).text == NOTED
    assert find_answer(MIRA, [passage(MIRA, 1.0)]).text == NOTED


def test_a_statement_after_a_short_question_is_noted() -> None:
    assert find_answer("Guess what? I moved to Rome.", []).text == NOTED


def test_a_statement_about_something_known_is_noted_with_what_is_known() -> None:
    answer = find_answer("Mira was here.", [passage(MIRA, 0.7)])

    assert answer.text == f"Noted. {MIRA} (turn 1)"


def test_a_question_is_never_an_answer() -> None:
    asked_before = passage("Where does my sister Mira live? tell me where Mira lives", 1.0, number=2)

    assert find_answer("Where does my sister Mira live?", [asked_before]).text == NOTHING_KNOWN


def test_a_sentence_that_adds_nothing_is_no_answer() -> None:
    assert find_answer("Where does Mira live?", [passage("Mira lives.", 0.9)]).text == NOTHING_KNOWN


def test_what_was_only_quoted_is_not_quoted_again() -> None:
    question = "Where does my sister Mira live?"
    quoting = passage(question, 1.0, number=2, output=f"{MIRA} (turn 1)", quoted=True)

    assert find_answer(question, [quoting]).text == NOTHING_KNOWN
    assert find_answer(question, [quoting, passage(MIRA)]).text == f"{MIRA} (turn 1)"


def test_what_a_model_said_can_be_quoted_but_counts_less() -> None:
    generated = passage("Hello!", 0.8, number=2, output="Mira lives in Porto.", quoted=False)

    assert find_answer("Where does Mira live?", [generated]).text == "Mira lives in Porto. (turn 2)"
    both = find_answer("Where does Mira live?", [generated, passage("Mira lives in Lisbon.", 0.8)])
    assert both.text.startswith("Mira lives in Lisbon. (turn 1)")


def test_a_pronoun_is_understood_from_the_sentence_before() -> None:
    text = "My sister is called Mira. She lives in Lisbon. I like tea."

    answer = find_answer("Where does Mira live?", [passage(text)])

    assert "She lives in Lisbon. (turn 1)" in answer.text
    assert "tea" not in answer.text


def test_of_equal_sentences_the_later_turn_comes_first() -> None:
    answer = find_answer(
        "Where does Mira live?",
        [passage("Mira lives in Lisbon.", 0.8, 1), passage("Mira lives in Porto.", 0.8, 7)],
    )

    assert answer.text == "Mira lives in Porto. (turn 7) Mira lives in Lisbon. (turn 1)"


def test_one_common_word_is_not_enough() -> None:
    assert (
        find_answer("What is my name?", [passage("The name of the dog is Rex.", 0.3)]).text == NOTHING_KNOWN
    )
    assert (
        find_answer("What is my name?", [passage("My name is Ada.", 0.6)]).text == "My name is Ada. (turn 1)"
    )


def test_what_is_asked_is_the_question_in_a_longer_input() -> None:
    answer = find_answer("I am planning a long journey for spring. Where does Mira live?", [passage(MIRA)])

    assert answer.text == f"{MIRA} (turn 1)"


def test_a_long_sentence_is_several_pieces() -> None:
    assert [len(piece.split()) for piece in pieces_of("word " * 130)] == [60, 60, 10]


def test_a_piece_of_an_answer_is_a_sentence_without_its_marks() -> None:
    text = "# Dr. Silva   said 3.5 weeks. Then I may run!\n- buy milk\n> call J. Doe"

    assert list(pieces_of(text)) == [
        "Dr. Silva said 3.5 weeks.",
        "Then I may run!",
        "buy milk",
        "call J. Doe",
    ]


@given(
    question=st.text(max_size=80),
    texts=st.lists(st.text(max_size=200), max_size=6),
    similarity=st.floats(min_value=-1, max_value=1),
)
def test_whatever_is_asked_the_answer_is_known_words_or_a_quote(
    question: str, texts: list[str], similarity: float
) -> None:
    passages = [passage(text, similarity, number) for number, text in enumerate(texts, start=1)]

    answer = find_answer(question, passages)

    assert len(answer.sources) <= 3
    if not answer.sources:
        assert answer.text in {NOTHING_KNOWN, NOTED}
    for source in answer.sources:
        text = texts[(source.turn_number or 0) - 1]
        said = [sentence for sentence in pieces_of(text) if sentence in source.quote]
        assert said
        assert all(f"{sentence} (turn" in answer.text for sentence in said if sentence == source.quote)


@given(st.text())
def test_the_words_of_a_text_joined_are_the_text(text: str) -> None:
    assert "".join(split_words(text.lstrip())) == text.lstrip()


def test_who_said_an_imported_message_is_known_with_its_sentences() -> None:
    said = Passage(
        id="D1:2",
        score=0.5,
        similarity=0.6,
        speaker="Caroline",
        input="Biscuit! He is a greyhound from the shelter.",
    )

    answer = find_answer("Which dog from the shelter does Caroline have?", [said])

    assert "greyhound" in answer.text
    assert [source.id for source in answer.sources] == ["D1:2"]
    assert find_answer("Which dog from the shelter does Melanie have?", [said]).sources == []


@pytest.mark.parametrize(
    "said",
    [
        "I live in Lisbon. Just kidding!",
        "Let's play a game. Imagine I am a fisherman. I live in Lisbon.",
        "Tom texted me:\n> I live in Lisbon.\nAnd that is all.",
    ],
)
def test_what_the_user_quoted_played_or_took_back_is_no_answer(said: str) -> None:
    plain = passage("I live in Porto.", number=2)

    answer = find_answer("Where do I live?", [passage(said, 0.9), plain])

    assert answer.text == "I live in Porto. (turn 2)"
    assert find_answer("Where do I live?", [passage(said, 0.9)]).text == NOTHING_KNOWN


def test_what_somebody_wrote_is_still_found() -> None:
    said = 'My brother Tom wrote: "The ferry leaves at nine."'

    assert "leaves at nine" in find_answer("When does the ferry leave?", [passage(said, 0.8)]).text
