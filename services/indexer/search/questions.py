"""Reads a question without a model: who it is about, when, and which of its words are worth looking for.

Nothing here decides alone. What is read becomes small signals of `ranking.py`, so a wrong guess costs little.
"""

import re
from collections.abc import Collection
from datetime import datetime

import msgspec

from shared.language.times import MONTHS, SEASONS, Period, asks_for_present, asks_for_time, periods_of

_ROLES = frozenset({"user", "human", "me", "i", "you", "assistant", "ai", "bot", "system", "model", "other"})
"""Speakers whose name is no name."""
_NAMES_AND_WORDS = frozenset(
    {*MONTHS, *SEASONS, "art", "bill", "chance", "dawn", "drew", "faith", "grace", "grant"}
    | {"hope", "hunter", "joy", "mark", "mason", "pat", "rob", "rose", "sue", "will"}
)
"""Written with a capital they are names; as the first word only before an apostrophe."""
_POLITE = re.compile(
    r"\b(?:(?:can|could|would|will) you (?:please )?(?:remind|tell) me"
    r"|do you (?:still )?(?:remember|recall|know)"
    r"|i(?:'m| am| was) (?:looking back at|looking back|thinking back to|going through|trying to remember)"
    r"|i (?:remember|recall|think) (?:that )?(?=you|we|i)|please"
    r"|(?:in |from |about |at |during )?our (?:previous|earlier|last|past) (?:conversation|chat|talk)s?)\b",
    re.IGNORECASE,
)
"""Said around a question; as words to look for they would find whatever else was said politely."""
_ME = re.compile(r"\b(?:i|me|my|mine|myself|i'm|i've|i'd|i'll)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|yours|you've|you'd|assistant)\b(?!')", re.IGNORECASE)
_TO_YOU = re.compile(
    r"\b(?:do you think|(?:tell|told|ask|asked|give|gave|given|show|showed|send|sent|to|with|for) you)\b",
    re.IGNORECASE,
)
"""There it is not the assistant who said something."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question, as far as it is understood."""

    text: str
    text_for_meaning: str
    """Without people's names: the vector of a name lies near everything that this person was called in."""
    text_for_words: str
    """With them: the words of a message begin with its speaker."""
    speakers: frozenset[str] = frozenset()
    """Of the known speakers those that it names, as they were given."""
    about_me: bool = False
    about_assistant: bool = False
    periods: tuple[Period, ...] = ()
    """The times that it names; several where a month has no year."""
    wants_time: bool = False
    wants_newest: bool = False
    """It asks for what is so now."""


def understand(query: str, known_speakers: Collection[str], now: datetime) -> Asked:
    """`now`: when it is asked; `last week` is counted from there."""
    bare = _POLITE.sub(" ", query)
    bare = " ".join(bare.split()) if len(bare.split()) > 2 else query
    named = {
        speaker: pattern for speaker in known_speakers if (pattern := _named(speaker, query)) is not None
    }
    about_assistant = _YOU.search(_TO_YOU.sub(" ", bare)) is not None
    return Asked(
        text=query,
        text_for_meaning=_without(bare, named.values()),
        text_for_words=bare,
        speakers=frozenset(named),
        about_me=not about_assistant and _ME.search(bare) is not None,
        about_assistant=about_assistant,
        periods=tuple(periods_of(query, now)),
        wants_time=asks_for_time(query),
        wants_newest=asks_for_present(query),
    )


def _named(speaker: str, query: str) -> re.Pattern[str] | None:
    """A pattern of this speaker's name, whole or its first word, where the query has it."""
    whole = speaker.strip()
    if not whole or whole.casefold() in _ROLES:
        return None
    names = [whole]
    if (first := whole.split()[0]) != whole and len(first) > 2:
        names.append(first)
    pattern = re.compile(
        rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?:['\u2019]s?)?(?!\w)", re.IGNORECASE
    )
    for match in pattern.finditer(query):
        if names[-1].casefold() not in _NAMES_AND_WORDS:
            return pattern
        if match[0][0].isupper() and (match.start() > 0 or match[0][-2] in "'\u2019"):
            return pattern
    return None


def _without(text: str, names: Collection[re.Pattern[str]]) -> str:
    """The text itself where nothing else is left of it."""
    bare = text
    for pattern in names:
        bare = pattern.sub(" ", bare)
    bare = re.sub(r"\s+([?.,!;])", r"\1", " ".join(bare.split()))
    return bare if re.search(r"\w", bare) else text
