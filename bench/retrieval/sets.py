"""A question set in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/<split>.tsv."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from shared.contract.events import LOCAL_USER

Grades = dict[str, int]
"""Of one query: document id -> grade. Above 0: evidence, the more the better. 0: judged, and none."""
_HEADER = "query-id\tcorpus-id\tscore"


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a conversational set says of a message; of a query, only the user and its type."""

    user: str = LOCAL_USER
    session_id: str = ""
    speaker: str = ""
    at: str = ""
    """RFC 3339."""
    type: str = ""


class Document(msgspec.Struct, frozen=True):
    """Of a conversation: one message."""

    id: str = msgspec.field(name="_id")
    text: str
    title: str = ""
    metadata: Metadata = Metadata()

    @property
    def searched_text(self) -> str:
        """With its title or its speaker, whichever it has, as every way of searching gets it."""
        heading = f"{self.metadata.speaker}: " if self.metadata.speaker else ""
        return f"{self.title}\n{self.text}" if self.title else f"{heading}{self.text}"


class Query(msgspec.Struct, frozen=True):
    """Only documents of its user are its answers."""

    id: str = msgspec.field(name="_id")
    text: str
    metadata: Metadata = Metadata()


class QuestionSet(msgspec.Struct, frozen=True):
    """Its queries are those that the split has evidence for."""

    name: str
    split: str
    corpus: list[Document]
    queries: list[Query]
    qrels: dict[str, Grades]


class NoSet(Exception):
    """There is no question set at that path, or not that split of it."""


_Line = TypeVar("_Line", Document, Query)


def read_set(folder: Path, split: str) -> QuestionSet:
    """Raises NoSet with what is missing."""
    qrels_path = folder / "qrels" / f"{split}.tsv"
    for path in (folder / "corpus.jsonl", folder / "queries.jsonl", qrels_path):
        if not path.is_file():
            raise NoSet(f"{path} is not there")
    qrels = _read_qrels(qrels_path)
    return QuestionSet(
        name=folder.resolve().name,
        split=split,
        corpus=list(_lines(folder / "corpus.jsonl", Document)),
        queries=[query for query in _lines(folder / "queries.jsonl", Query) if _has_evidence(query, qrels)],
        qrels=qrels,
    )


def write_set(
    folder: Path, corpus: list[Document], queries: list[Query], qrels: dict[str, dict[str, Grades]]
) -> None:
    """`qrels`: split -> query id -> grades. The same bytes for the same arguments."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    lines = msgspec.json.Encoder().encode_lines
    (folder / "corpus.jsonl").write_bytes(lines(corpus))
    (folder / "queries.jsonl").write_bytes(lines(queries))
    for split, of_queries in qrels.items():
        rows = [
            f"{query}\t{document}\t{grade}"
            for query, grades in of_queries.items()
            for document, grade in grades.items()
        ]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join([_HEADER, *rows, ""]), encoding="utf-8")


def _has_evidence(query: Query, qrels: dict[str, Grades]) -> bool:
    return any(grade > 0 for grade in qrels.get(query.id, {}).values())


def _lines(path: Path, kind: type[_Line]) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(kind)
    for line in path.read_bytes().splitlines():
        if line.strip():
            yield decoder.decode(line)


def _read_qrels(path: Path) -> dict[str, Grades]:
    qrels: dict[str, Grades] = {}
    for row in path.read_text(encoding="utf-8").splitlines():
        query, document, grade = row.split("\t")
        if grade.lstrip("-").isdigit():  # The header says `score`.
            qrels.setdefault(query, {})[document] = int(grade)
    return qrels
