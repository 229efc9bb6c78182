"""Question sets in BEIR's layout, as files."""

import sys
from pathlib import Path

import pytest

from bench.retrieval.__main__ import main
from bench.retrieval.sets import Document, Metadata, NoSet, Query, read_set, write_set

CORPUS = [
    Document(
        "m1",
        "Lisbon.",
        metadata=Metadata(user="mira", session_id="s1", speaker="Mira", at="2025-01-06T07:00:00Z"),
    ),
    Document("m2", "Gdańsk, then.", metadata=Metadata(user="mira", speaker="Tomas")),
]
QUERIES = [
    Query("q1", "Where to?", Metadata(user="mira", type="where")),
    Query("q2", "And then?", Metadata(user="mira")),
]


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_set(tmp_path / "talk", CORPUS, QUERIES, {"test": {"q1": {"m1": 2, "m2": 0}, "q2": {"m2": 1}}})

    questions = read_set(tmp_path / "talk", "test")

    assert (questions.name, questions.split) == ("talk", "test")
    assert (questions.corpus, questions.queries) == (CORPUS, QUERIES)
    assert questions.qrels == {"q1": {"m1": 2, "m2": 0}, "q2": {"m2": 1}}


def test_a_split_asks_only_what_it_has_evidence_for(tmp_path: Path) -> None:
    write_set(
        tmp_path, CORPUS, QUERIES, {"test": {"q1": {"m1": 2}, "q2": {"m1": 0}}, "tune": {"q2": {"m2": 1}}}
    )

    assert [query.id for query in read_set(tmp_path, "test").queries] == ["q1"]
    assert [query.id for query in read_set(tmp_path, "tune").queries] == ["q2"]


def test_documents_of_no_conversation_all_belong_to_one_user(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "1", "title": "A wing", "text": "in a slipstream", "url": ""}\n\n'
    )
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "which wing", "metadata": {}}\n')
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t1\t4\n")

    questions = read_set(tmp_path, "test")

    assert questions.corpus[0].searched_text == "A wing\nin a slipstream"
    assert questions.corpus[0].metadata.user == questions.queries[0].metadata.user != ""


def test_a_message_is_searched_with_its_speaker() -> None:
    assert CORPUS[0].searched_text == "Mira: Lisbon."


def test_a_set_that_is_not_there_is_skipped_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NoSet, match=r"corpus\.jsonl is not there"):
        read_set(tmp_path / "none", "test")

    monkeypatch.setattr(sys, "argv", ["bench.retrieval", str(tmp_path / "none")])
    main()

    assert capsys.readouterr().out.startswith("skipped: ")
