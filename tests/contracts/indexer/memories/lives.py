"""Simulated users: what they say over months, what others say through them, and what they have forgotten.

A life is a function of its number. Facts are said plainly, in many wordings. Words of others come in frames.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal

import msgspec

from shared.contract.events import TurnSaved
from shared.contract.memories import MANY_AT_A_TIME
from tests.unit.indexer.memories.memories_room import DAY, NOON
from tests.unit.samples import saved

_WORDINGS: Final[dict[str, tuple[str, ...]]] = {
    "home": (
        *(
            "I live in {}.",
            "I moved to {} last week.",
            "I've just moved to {}!",
            "By the way, I now live in {}.",
        ),
        *("Hi! I live in {}, and I need a plumber.", "I'm based in {} these days.", "I moved back to {}."),
        *("I live in {} with my cat. Any tips for rain?", "I recently moved to {} because of work."),
    ),
    "employer": (
        *(
            "I work at {}.",
            "I work for {} now.",
            "I started working at {} this month.",
            "I'm working for {}.",
        ),
        *("I currently work at {}. How do I write a good agenda?", "I've started a new job at {}!"),
    ),
    "favourite colour": (
        *(
            "My favourite colour is {}.",
            "My favorite colour is {}!",
            "My favourite colour is {}, by the way.",
        ),
    ),
    "name": (
        "My name is {}.",
        "Hello! My name is {}.",
        "My name's {}, nice to meet you.",
        "Please call me {}.",
    ),
    "diet": ("I'm {}.", "I am {} now.", "I'm {}, so please leave out the meat.", "Thanks! I'm {}."),
    "allergy": (
        "I'm allergic to {}.",
        "I am severely allergic to {}.",
        "I'm allergic to {}. Is hummus safe?",
    ),
}
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "home": (
        *("Lisbon", "Porto", "Berlin", "New York City", "St. Louis", "\u0141\u00f3d\u017a", "Z\u00fcrich"),
        *(
            "Rio de Janeiro",
            "Nairobi",
            "Kyoto",
            "\u00c5rhus",
            "\u0391\u03b8\u03ae\u03bd\u03b1",
            "\u041a\u0438\u0457\u0432",
        ),
    ),
    "employer": (
        "Siemens",
        "St. Mary's Hospital",
        "Acme Inc.",
        "the Red Cross",
        "Globex",
        "\u0160koda",
        "IBM",
    ),
    "favourite colour": ("green", "dark blue", "red", "yellow", "teal"),
    "name": ("Ana Sousa", "Annie", "Dr. Anna Weber", "Tom\u00e1\u0161", "\u042e\u043b\u0438\u044f", "Kwame"),
    "diet": ("vegan", "vegetarian", "pescatarian"),
    "allergy": ("peanuts", "shellfish", "penicillin", "kiwis", "latex", "eggs"),
}
ATTRIBUTES: Final = tuple(_WORDINGS)
_FRAMES: Final = (
    'My sister wrote: "Good news! {} See you soon."',
    "Tom texted me:\n> Hey\n> {}\nAnd that is all.",
    "What do you think of this?\n\nHi all,\n{}\nBest, Tom",
    "My brother wrote to me. {}",
    "Let's say I am someone else for this question. {} What should I do?",
    "Imagine I am a Roman. {}",
    "{} Just kidding!",
    "```\n{}\n```",
    "Translate this into French:\n{}",
    "Lea: {}",
    "\u201c{}\u201d was all that she said.",
    "If only. I wish. {}",
    "Subject: News\n\n{}",
    "{} \u2014 Marcus Aurelius",
    "Write a story that begins so. {}",
    "This came from my landlord. {}",
)
_CHATTER: Final = (
    "What is the weather like?",
    "Thanks, that helps.",
    "Tell me about bees.",
    "I'm a bit tired.",
)
Fact = tuple[str, str]
"""Attribute and value."""


class Told(msgspec.Struct, frozen=True):
    """A turn, and what its user plainly says in it."""

    turn: TurnSaved
    fact: Fact | None = None


class Forgets(msgspec.Struct, frozen=True):
    """`told`: the turn that is forgotten, alone, with its memory, or with its session."""

    scope: Literal["turn", "memory", "session"]
    told: Told
    at: datetime


Step = Told | Forgets


def life_of(number: int) -> list[Step]:
    """What the user `user-<number>` does, oldest first."""
    chance = Random(number)  # noqa: S311 - the same life for the same number
    user, at = f"user-{number}", NOON
    steps: list[Step] = []
    known: list[Told] = []
    for n in range(chance.randint(7, 11)):
        at += timedelta(hours=chance.randint(1, 24 * 60))
        if known and chance.random() < 0.12:
            steps.append(Forgets(_scope(chance), known.pop(chance.randrange(len(known))), at))
            continue
        text, fact = _message(chance, known)
        turn = saved(
            n, text, turn_id=f"{user}-t{n}", session_id=f"{user}-s{n // 4}", user=user, requested_at=at
        )
        steps.append(Told(turn, fact))
        if fact:
            known.append(Told(turn, fact))
    return steps


def _scope(chance: Random) -> Literal["turn", "memory", "session"]:
    return chance.choice(("turn", "turn", "memory", "session"))


def _message(chance: Random, known: list[Told]) -> tuple[str, Fact | None]:
    kind = chance.choices(("fact", "again", "framed", "chatter"), (6, 2, 3, 1))[0]
    if kind == "chatter":
        return chance.choice(_CHATTER), None
    attribute = chance.choice(ATTRIBUTES)
    value = chance.choice(_VALUES[attribute])
    if kind == "again" and known:  # Confirms what holds, or comes back to what held before.
        attribute, value = chance.choice(known).fact or (attribute, value)
    said = chance.choice(_WORDINGS[attribute]).format(value)
    if kind == "framed":
        return chance.choice(_FRAMES).format(said), None
    return said, (attribute, value)


def true_now(steps: list[Step]) -> dict[str, set[str]]:
    """By attribute, what holds after these steps."""
    told: list[Told] = []
    for step in steps:
        if isinstance(step, Told):
            told += [step] if step.fact else []
        else:
            told = [one for one in told if not _is_gone(one, step, told)]
    now: dict[str, set[str]] = defaultdict(set)
    for attribute, value in _facts(told):
        now[attribute] = {*(now[attribute] if attribute in MANY_AT_A_TIME else ()), value}
    return now


def _facts(told: list[Told]) -> Iterator[Fact]:
    return (one.fact for one in told if one.fact)


def _is_gone(one: Told, order: Forgets, told: list[Told]) -> bool:
    match order.scope:
        case "turn":
            return one.turn.turn_id == order.told.turn.turn_id
        case "session":
            return one.turn.session_id == order.told.turn.session_id
        case "memory":
            return one in _same_memory(order.told, told)


def _same_memory(asked: Told, told: list[Told]) -> list[Told]:
    """What was said with it in one go: until something else was said, all of it is one memory."""
    of_attribute = [one for one in told if one.fact and asked.fact and one.fact[0] == asked.fact[0]]
    if asked.fact and asked.fact[0] in MANY_AT_A_TIME:
        return [one for one in of_attribute if one.fact == asked.fact]
    runs: list[list[Told]] = []
    for one in of_attribute:
        if runs and runs[-1][-1].fact == one.fact:
            runs[-1].append(one)
        else:
            runs.append([one])
    return next((run for run in runs if asked in run), [])


def all_days() -> timedelta:
    """Longer than any life."""
    return 1000 * DAY
