"""python -m bench.retrieval.languages: where the right message ranks, language by language.

Real stores and the packaged model. Each language is a user of its own, so no other language is in the way.
"""

import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec
import uvloop

from bench.retrieval.metrics import recall, reciprocal_rank
from bench.retrieval.pandora import opened
from bench.retrieval.scores import aligned
from bench.retrieval.sets import Document, Metadata, Query

SPOKEN: Final = Path(__file__).with_suffix(".toml")
_LONG: Final = 600
"""Letters."""
_DEPTH: Final = 20


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    day: str
    last: str
    facts: list[str]
    questions: list[tuple[str, int]]

    @property
    def messages(self) -> list[str]:
        """The long one last."""
        return [*self.facts, self.day * -(-_LONG // len(self.day)) + self.last]


class Asked(msgspec.Struct, frozen=True):
    """One question, and the messages that were found, best first."""

    language: str
    question: str
    answer: str
    found: list[str]

    def recall(self, depth: int) -> float:
        return recall(self.found, {self.answer: 1}, depth)


async def ask_all(folder: Path) -> list[Asked]:
    """Imports every language and asks its questions. The stores are made in `folder`."""
    languages = msgspec.convert(tomllib.loads(SPOKEN.read_text(encoding="utf-8")), dict[str, Language])
    asked: list[Asked] = []
    async with opened(folder) as (_, over_stores):
        pandora = over_stores[-1]
        for name, language in languages.items():
            user = Metadata(user=name.lower(), speaker="user", at="2025-05-01T09:00:00Z")
            ids = [f"{name}-{number}" for number in range(len(language.messages))]
            await pandora.index(
                [Document(one, text, metadata=user) for one, text in zip(ids, language.messages, strict=True)]
            )
            for question, answer in language.questions:
                found = await pandora.search(Query(question, question, user), _DEPTH)
                asked.append(Asked(name, question, ids[answer], found))
    return asked


def languages_table(asked: Sequence[Asked]) -> str:
    """One row a language, and one of all."""
    rows: list[tuple[str, ...]] = [("language", "recall@1", "recall@3", "recall@5", "MRR")]
    for name in dict.fromkeys(one.language for one in asked):
        rows.append(_row(name, [one for one in asked if one.language == name]))
    return aligned([*rows, _row("all", asked)])


def _row(name: str, asked: Sequence[Asked]) -> tuple[str, ...]:
    recalls = [fmean(one.recall(depth) for one in asked) for depth in (1, 3, 5)]
    ranks = fmean(reciprocal_rank(one.found, {one.answer: 1}, _DEPTH) for one in asked)
    return (name, *(f"{value:.2f}" for value in (*recalls, ranks)))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pandora-bench-") as folder, chdir(folder):
        print(languages_table(uvloop.run(ask_all(Path(folder)))))


if __name__ == "__main__":
    main()
