"""What people may say, as the TOML files in this folder have it, and how a template is filled."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Literal, TypeVar

import msgspec

FOLDER = Path(__file__).parent
Kind = Literal["who", "where", "when", "name", "number", "what"]
Pools = Mapping[str, Sequence[str]]


class Oblique(msgspec.Struct, frozen=True):
    """A statement and questions about it that have no content word in common."""

    says: list[str]
    asks: list[str]


class Topic(msgspec.Struct, frozen=True):
    """One thing that everybody may tell of themselves."""

    key: str
    noun: str
    kind: Kind
    pool: str
    says: list[str]
    ask: list[str]
    short: list[str]
    questions: list[str]
    misses: list[str]
    changed: list[str] = []
    oblique: Oblique | None = None


class Hop(msgspec.Struct, frozen=True):
    """Two messages that only together answer the question: a link, and something about what it leads to."""

    key: str
    link: str
    pool: str
    first: list[str]
    second: list[str]
    questions: list[str]
    misses: list[str]


class Advice(msgspec.Struct, frozen=True):
    """What the assistant recommended."""

    pool: str
    ask: list[str]
    answers: list[str]
    questions: list[str]
    misses: list[tuple[str, str]]


class Talk(msgspec.Struct, frozen=True):
    """What is said and means nothing."""

    exchanges: list[tuple[str, str, str]]
    reactions: list[str]
    greetings: list[str]
    acknowledged: list[str]
    errands: list[tuple[str, str]]
    cues: list[tuple[str, str]]
    """A remark next to a fact, and the same next to a question about it."""
    evasions: list[str]
    empty: list[str]
    openers: list[str]
    tails: list[str]


class Templates(msgspec.Struct, frozen=True):
    topics: list[Topic]
    hops: list[Hop]
    advice: list[Advice]
    talk: Talk
    pools: dict[str, list[str]]


_Read = TypeVar("_Read")


def read_templates() -> Templates:
    return Templates(
        topics=[
            topic
            for name in ("topics_who_where", "topics_when_name", "topics_number_what")
            for topic in _read(name, dict[str, list[Topic]])["topic"]
        ],
        hops=_read("hops", dict[str, list[Hop]])["hop"],
        advice=_read("assistant", dict[str, list[Advice]])["advice"],
        talk=_read("chat", Talk),
        pools=_read("pools", dict[str, list[str]]),
    )


def fill(template: str, random_: Random, pools: Pools, **given: str) -> str:
    """Each {name} becomes what is given for it, or one of the list of that name. Begins with a capital."""
    text = re.sub(r"\{(\w+)\}", lambda slot: given.get(slot[1]) or random_.choice(pools[slot[1]]), template)
    return text[0].upper() + text[1:]


def grammar(name: str | None) -> dict[str, str]:
    """How a question names whom it is about: None for the one who asks."""
    if name is None:
        return {"who": "I", "whom": "me", "whose": "my", "does": "do", "is": "am", "has": "have"}
    return {"who": name, "whom": name, "whose": f"{name}'s", "does": "does", "is": "is", "has": "has"}


def _read(name: str, kind: type[_Read]) -> _Read:
    return msgspec.toml.decode((FOLDER / f"{name}.toml").read_bytes(), type=kind)
