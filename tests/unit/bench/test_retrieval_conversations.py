"""The generated conversations: the same for the same seed, and as hard and as fair as they claim to be."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from bench.retrieval.conversations.script import ASSISTANT
from bench.retrieval.conversations.writing import write_conversations
from bench.retrieval.sets import Document, Query, QuestionSet, read_set
from services.indexer.qdrant import bm25

SEED = 7
LONGEST_WORDS = 60


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, QuestionSet]:
    folder = tmp_path_factory.mktemp("conversations")
    write_conversations(folder, seed=SEED, users=20)
    return {split: read_set(folder, split) for split in ("tune", "test")}


@pytest.fixture
def messages(splits: dict[str, QuestionSet]) -> dict[str, Document]:
    return {message.id: message for message in splits["test"].corpus}


@pytest.fixture
def asked(splits: dict[str, QuestionSet]) -> list[tuple[Query, dict[str, int]]]:
    return [(query, s.qrels[query.id]) for s in splits.values() for query in s.queries]


def of_type(asked: list[tuple[Query, dict[str, int]]], type_: str) -> list[tuple[Query, dict[str, int]]]:
    found = [(query, grades) for query, grades in asked if query.metadata.type == type_]
    assert found
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def terms(text: str) -> set[int]:
    """Of its content words, without their endings."""
    return set(bm25.query_weights(text).indices)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for folder, seed in (("one", 7), ("again", 7), ("other", 8)):
        write_conversations(tmp_path / folder, seed=seed, users=3)

    assert len(contents(tmp_path / "one")) == 4
    assert contents(tmp_path / "one") == contents(tmp_path / "again")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_both_splits_ask_as_much_of_each_type_and_of_nobody_the_same(splits: dict[str, QuestionSet]) -> None:
    types = {split: Counter(query.metadata.type for query in s.queries) for split, s in splits.items()}
    users = {split: {query.metadata.user for query in s.queries} for split, s in splits.items()}

    assert types["tune"] == types["test"]
    assert sum(types["test"].values()) == 150
    assert len(users["tune"]) == len(users["test"]) == 10
    assert users["tune"].isdisjoint(users["test"])


def test_evidence_is_a_message_of_the_one_who_asks(
    asked: list[tuple[Query, dict[str, int]]], messages: dict[str, Document]
) -> None:
    for query, grades in asked:
        assert {messages[id_].metadata.user for id_ in grades} == {query.metadata.user}


def test_no_slot_is_left_open_and_messages_are_short(
    asked: list[tuple[Query, dict[str, int]]], messages: dict[str, Document]
) -> None:
    texts = [message.text for message in messages.values()]

    assert [text for text in [*texts, *(query.text for query, _ in asked)] if "{" in text] == []
    assert max(len(text.split()) for text in texts) < LONGEST_WORDS


def test_messages_of_a_session_come_one_after_the_other(messages: dict[str, Document]) -> None:
    sessions: dict[str, list[str]] = {}
    for message in messages.values():
        sessions.setdefault(message.metadata.session_id, []).append(message.metadata.at)

    assert len(sessions) >= 10 * 16 + 10 * 24
    assert all(times == sorted(times) for times in sessions.values())


def test_after_a_change_of_mind_the_newer_message_is_the_evidence(
    asked: list[tuple[Query, dict[str, int]]], messages: dict[str, Document]
) -> None:
    for _, grades in of_type(asked, "changed"):
        (new,) = (id_ for id_, grade in grades.items() if grade == 2)
        (old,) = (id_ for id_, grade in grades.items() if grade == 0)

        assert messages[old].metadata.at < messages[new].metadata.at
        assert messages[old].metadata.speaker == messages[new].metadata.speaker


def test_a_paraphrase_shares_no_content_word_with_its_evidence(
    asked: list[tuple[Query, dict[str, int]]], messages: dict[str, Document]
) -> None:
    for query, grades in of_type(asked, "paraphrase"):
        (evidence,) = grades
        shared = terms(query.text) & terms(messages[evidence].text)

        assert shared == set(), (query.text, messages[evidence].text)


def test_two_messages_of_different_times_answer_together(
    asked: list[tuple[Query, dict[str, int]]], messages: dict[str, Document]
) -> None:
    for _, grades in of_type(asked, "two_messages"):
        assert sorted(grades.values()) == [2, 2]
        assert len({messages[id_].metadata.session_id for id_ in grades}) == 2


def test_what_the_assistant_said_is_said_by_the_assistant(
    asked: list[tuple[Query, dict[str, int]]], messages: dict[str, Document]
) -> None:
    for _, grades in of_type(asked, "assistant"):
        assert {messages[id_].metadata.speaker for id_ in grades} == {ASSISTANT}


def test_an_answer_stands_right_behind_its_question(
    asked: list[tuple[Query, dict[str, int]]], splits: dict[str, QuestionSet]
) -> None:
    corpus = splits["test"].corpus
    before = {message.id: earlier for earlier, message in pairwise(corpus)}

    for _, grades in of_type(asked, "neighbour"):
        (evidence,) = grades
        assert before[evidence].text.endswith("?")


def test_evidence_stands_anywhere_in_its_session(asked: list[tuple[Query, dict[str, int]]]) -> None:
    places = sorted(int(id_.rsplit("-", 1)[1]) for _, grades in asked for id_ in grades)

    assert places[len(places) // 4] < 8 < places[3 * len(places) // 4]
