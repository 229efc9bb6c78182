"""The words of a text, and the English ones that say nothing about what it is about."""

import re
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SNOWBALL = word_set(
    """a about above after again against all am an and any are as at be because been before being below
    between both but by can did do does doing down during each few for from further had has have having he her
    here hers herself him himself his how i if in into is it its itself just me more most my myself no nor not
    now of off on once only or other our ours ourselves out over own same she should so some such than that
    the their theirs them themselves then there these they this those through to too under until up very was
    we were what when where which while who whom why will with you your yours yourself yourselves"""
)
_CONTRACTIONS = word_set(
    """aren't can't couldn't didn't doesn't don't hadn't hasn't haven't i'd i'll i'm i've isn't it's shouldn't
    they'll they're they've wasn't we'll we're we've weren't won't wouldn't you'll you're you've"""
)
_ADDED = word_set(
    """also cannot could describe else ever every explain get give got know known let list may might mine much
    must nothing one please recall remind said say shall show summarise summarize tell thing things us well
    whose would yes"""
)
STOP_WORDS: Final = _SNOWBALL | _CONTRACTIONS | _ADDED
"""Snowball's English list as PostgreSQL ships it (`english.stop`), but for its halves of contractions, which
are whole here; and the verbs and fillers of a request such as "Could you please tell me one thing ...".
No "like": "What do I like?" asks for it."""


def words_of(text: str) -> list[str]:
    """The words in order; "Mira's" and "don't" are one word each."""
    return _WORD.findall(text)


def first_word(text: str) -> str:
    """As `plain_word`; empty where there is no word."""
    word = _WORD.search(text)
    return plain_word(word.group()) if word else ""


def plain_word(word: str) -> str:
    """In lower case, with straight apostrophes."""
    return word.lower().replace("\u2019", "'")
