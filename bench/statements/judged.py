"""The judged messages, and how well the patterns read them."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal
from unicodedata import normalize

import msgspec
import regex

from shared.language.statements import read_statements

MESSAGES: Final = Path(__file__).parent / "messages.ndjson"
PLAIN: Final = frozenset({"plain", "beside", "names", "remember"})
"""The kinds of messages that state something plainly: alone, beside a request, a name of any alphabet."""
SPLITS: Final = ("tune", "test")
Memory = tuple[str, str]
"""Attribute and value."""


class Judged(msgspec.Struct, frozen=True):
    """A message, and what may be read from it."""

    split: Literal["tune", "test"]
    kind: str
    message: str
    expected: list[Memory]
    """All of it is to be read."""
    allowed: list[Memory] = []
    """True too, but nothing is missing without it."""


class Read(msgspec.Struct, frozen=True):
    """A judged message, as the patterns read it."""

    judged: Judged
    right: list[Memory]
    wrong: list[Memory]
    missed: list[Memory]


class Score(msgspec.Struct, frozen=True):
    """Of the messages of a kind."""

    messages: int
    right: int
    wrong: int
    missed: int
    unasked: int
    """Of those that are right, the ones that were only allowed."""

    @property
    def precision(self) -> float:
        """The share of what is read that is right; 1 where nothing is read."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """The share of what is to be read that is read; 1 where nothing is to be read."""
        found = self.right - self.unasked
        return found / (found + self.missed) if found + self.missed else 1.0


def judged_messages(split: str) -> list[Judged]:
    lines = MESSAGES.read_bytes().splitlines()
    return [one for one in (msgspec.json.decode(line, type=Judged) for line in lines) if one.split == split]


def read(judged: Judged) -> Read:
    found = [(one.attribute, one.value) for one in read_statements(judged.message)]
    good = {_plain(one) for one in (*judged.expected, *judged.allowed)}
    return Read(
        judged,
        right=[one for one in found if _plain(one) in good],
        wrong=[one for one in found if _plain(one) not in good],
        missed=[one for one in judged.expected if _plain(one) not in set(map(_plain, found))],
    )


def score(reads: Sequence[Read]) -> Score:
    unasked = sum(len(one.right) - (len(one.judged.expected) - len(one.missed)) for one in reads)
    return Score(
        messages=len(reads),
        right=sum(len(one.right) for one in reads),
        wrong=sum(len(one.wrong) for one in reads),
        missed=sum(len(one.missed) for one in reads),
        unasked=unasked,
    )


def by_kind(reads: Sequence[Read]) -> dict[str, Score]:
    """The kinds in the order of the file."""
    of_kinds: dict[str, list[Read]] = defaultdict(list)
    for one in reads:
        of_kinds[one.judged.kind].append(one)
    return {kind: score(own) for kind, own in of_kinds.items()}


def _plain(memory: Memory) -> Memory:
    attribute, value = memory
    return attribute, " ".join(regex.sub(r"[^\w\s]", " ", normalize("NFC", value)).casefold().split())
