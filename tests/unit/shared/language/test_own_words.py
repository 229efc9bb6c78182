"""Whose words: which sentences of a message are the user's own, and why the others are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.own_words import Why, own_stretches, parts_of
from shared.language.statements import read_statements

FRAMED: list[tuple[str, Why]] = [
    ("```\nI live in Rome\n```", "code"),
    ("~~~\nI live in Rome.", "code"),
    ("`I live in Rome`", "code"),
    ("> I live in Rome.\nI work at Acme.", "quoted"),
    ("\u201cGood news! I moved to Berlin. I work at Siemens now.\u201d", "quoted"),
    ("\u201eI live in Rome.", "quoted"),
    ("\u00abI live in Rome.\u00bb", "quoted"),
    ("'Good news! I moved to Berlin.'", "quoted"),
    ("My brother wrote to me, I moved to Berlin last month.", "reported"),
    ("I moved to Berlin last month. At least my brother wrote so.", "reported"),
    ("Mum texted. I moved to Berlin.", "reported"),
    ("I love Mondays, said nobody.", "reported"),
    ("From the forum thread:\nI live in Rome.", "pasted"),
    ("from what a friend put on her wall:\nI live in Rome.", "reported"),
    ("I live in Rome.\n\u2014 Marcus Aurelius", "reported"),
    ("\u2014 I live in Rome.", "reported"),
    ("Hi all,\nI moved to Berlin last month.\nSee you!", "pasted"),
    ("I moved to Berlin last month.\nBest, Tom", "pasted"),
    ("I moved to Berlin.\nKind regards\nTom Braun", "pasted"),
    ("Subject: News\nI moved to Berlin.", "pasted"),
    ("Tom: I moved to Berlin", "pasted"),
    ("[12:04] I moved to Berlin", "pasted"),
    ("ACT I\nI live in Rome.", "pasted"),
    ("I saw a sign. I live in Rome.", "reported"),
    ("I am writing as my grandfather. I live in Rome.", "reported"),
    ("Let's play a game. I live in Rome.", "played"),
    ("Imagine I am a Roman. I live in Rome.", "played"),
    ("I live in Rome. Say I'm a tourist, what do I do.", "played"),
    ("*sighs deeply* I live in Rome.", "played"),
    ("Translate this to French.\nI live in Rome.", "handed over"),
    ("What do you think of this?\n\nI live in Rome.", "handed over"),
    ("I live in Lisbon. Just kidding!", "withdrawn"),
    ("I live in Lisbon. Not really.", "withdrawn"),
    ("I live in Lisbon lol", "withdrawn"),
    ("I live in Lisbon \N{FACE WITH TEARS OF JOY}", "withdrawn"),
    ("I live in " + "Rome, " * 200, "long"),
]


@pytest.mark.parametrize(("message", "why"), FRAMED, ids=lambda one: str(one)[:40])
def test_words_in_a_frame_are_not_the_users_own(message: str, why: Why) -> None:
    assert {part.why for part in parts_of(message)} == {why}
    assert own_stretches(message) == []
    assert read_statements(message) == []


@pytest.mark.parametrize(
    ("message", "whys"),
    [
        ("I live in Porto. Do I need a visa?", ["own", "asked"]),
        ("I live in Porto. If I work at Acme I commute. I am vegan.", ["own", "supposed", "supposed"]),
        ("I live in Lisbon. No wait. I live in Porto.", ["withdrawn", "withdrawn", "own"]),
        ("I live in Oslo. At least I did in May.", ["withdrawn", "own"]),
        ("I live in Oslo. That was years ago.", ["withdrawn", "own"]),
        ("I live in Oslo. Actually, I live in Bergen.", ["withdrawn", "own"]),
        ("I live in Lisbon. Sorry! I live in Porto.", ["withdrawn", "withdrawn", "own"]),
        ("I live in Porto. My motto is \u201cI live in hope\u201d. I am vegan.", ["own", "quoted", "own"]),
        ("> I live in Rome\n\nI live in Porto.", ["quoted", "own"]),
        ("Hi there,\nI live in Porto.\nThanks!", ["own", "own", "own"]),
        ("About me: I live in Porto.", ["own"]),
        ("Word for word. I live in Lima.", ["own", "introduced"]),
        ("How formal is this?\nMy name is Lou.", ["asked", "introduced"]),
        ("Question 4\nI live in Ghent.", ["own", "introduced"]),
        ("My colleague introduced himself. My name is Bo.", ["own", "introduced"]),
        ("My wife is vegetarian. I am vegetarian too.", ["own", "own"]),
    ],
)
def test_a_frame_with_a_plain_end_leaves_the_rest(message: str, whys: list[Why]) -> None:
    assert [part.why for part in parts_of(message)] == whys


def test_what_shall_be_remembered_may_hold_what_would_be_a_frame() -> None:
    said = 'Remember that my boss said "if it rains, stay at home".'

    assert [one.text for one in read_statements(said)] == [
        'My boss said "if it rains, stay at home".',
    ]
    assert read_statements(f"Tom wrote to me.\n{said}") == []


@given(st.text(alphabet=st.sampled_from("Il ivenRomay.,!?'\"\n>`*: -"), max_size=120) | st.text(max_size=80))
def test_every_part_stands_in_the_message_letter_by_letter_and_in_order(message: str) -> None:
    parts = parts_of(message)

    assert [message[part.begin : part.end] for part in parts] == [part.text for part in parts]
    assert sorted(part.begin for part in parts) == [part.begin for part in parts]
    assert all(stretch in message for stretch in own_stretches(message))
