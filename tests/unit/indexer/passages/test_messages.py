"""What messages a turn has, and who said an imported one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.passages.message import message_of_import, messages_of, point_id_of, role_of
from shared.contract.requests import ImportedMessage
from tests.unit.samples import AT, saved

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
session_ids = st.from_regex(r"[^\x00-\x1f\x7f]{1,20}", fullmatch=True)


def texts(**more: object) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in messages_of(saved(7, **more))]  # type: ignore[arg-type]


def test_a_turn_is_what_was_said_and_what_was_answered() -> None:
    assert texts(said="Where is Mira?", answered="In Lisbon.") == [
        ("user", "Where is Mira?"),
        ("assistant", "In Lisbon."),
    ]


def test_an_answer_that_only_quotes_is_no_message() -> None:
    assert texts(said="Where is Mira?", answered="In Lisbon.", quoted=True) == [("user", "Where is Mira?")]


@pytest.mark.parametrize("answered", ["", " \n"])
def test_an_empty_answer_is_no_message(answered: str) -> None:
    assert texts(said="Where is Mira?", answered=answered) == [("user", "Where is Mira?")]


def test_a_message_of_a_turn_tells_all_that_is_known_of_it() -> None:
    asked, answered = messages_of(saved(7, user="alice", intent="question", requested_at=AT))

    assert (asked.message_id, answered.message_id) == ("t7:user", "t7:assistant")
    assert (asked.speaker, answered.speaker) == ("user", "assistant")
    assert (asked.user, asked.session_id, asked.turn_id, asked.turn_number) == ("alice", "kitchen", "t7", 7)
    assert asked.labels == answered.labels == {"topic": "hello", "intent": "question", "quality": 0.5}
    assert asked.at == AT


def test_a_question_that_was_only_answered_with_quotations_is_an_echo() -> None:
    def is_echo(intent: str, quoted: bool) -> bool:
        return messages_of(saved(7, intent=intent, quoted=quoted))[0].is_echo

    assert is_echo("question", quoted=True)
    assert not is_echo("question", quoted=False)
    assert not is_echo("statement", quoted=True)


@pytest.mark.parametrize(
    ("speaker", "role"),
    [
        ("user", "user"),
        ("Human", "user"),
        (" alice ", "user"),
        ("ALICE", "user"),
        ("assistant", "assistant"),
        ("ChatGPT", "assistant"),
        ("Caroline", "other"),
        ("alice2", "other"),
    ],
)
def test_the_name_of_a_speaker_says_who_it_is(speaker: str, role: str) -> None:
    assert role_of(speaker, "alice") == role


def test_an_imported_message_is_of_no_turn() -> None:
    said = ImportedMessage(session_id="D1: chat", message_id="D1:3", speaker="Caroline", text="Hi!", at=AT)

    message = message_of_import("alice", said)

    assert (message.user, message.session_id, message.message_id) == ("alice", "D1: chat", "D1:3")
    assert (message.speaker, message.role, message.text, message.at) == ("Caroline", "other", "Hi!", AT)
    assert (message.turn_id, message.turn_number, message.is_echo, message.labels) == (None, None, False, {})


def test_a_message_has_the_same_point_on_every_machine_and_for_ever() -> None:
    """The number is in people's stores: another namespace would index every message twice."""
    assert str(point_id_of("alice", "kitchen", "t7:user")) == "dbf93dd1-b392-5489-8e81-b796092c6c3b"


@given(st.tuples(ids, session_ids, session_ids), st.tuples(ids, session_ids, session_ids))
def test_two_messages_share_a_point_only_if_they_are_one(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    """No session or message id holds a line break, so that the joined names are read in one way."""
    assert (point_id_of(*one) == point_id_of(*other)) == (one == other)


@given(st.text(max_size=50), st.text(max_size=50), st.booleans())
def test_the_messages_of_the_same_event_are_the_same(said: str, answered: str, quoted: bool) -> None:
    first, again = (messages_of(saved(7, said, answered, quoted=quoted)) for _ in range(2))

    assert first == again
    assert all(message.text.strip() for message in first)
    assert len({message.point_id for message in first}) == len(first)
