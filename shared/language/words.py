"""The words of a text, and the English ones that say nothing about what it is about."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import regex

from shared.language.forms import plain_form

UNSPACED: Final = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Javanese}\p{Balinese}"
    r"\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Yi}&&[\p{L}\p{M}]]"
)
"""Scripts that put no space between words."""
_UNSPACED_RUN: Final = regex.compile(rf"{UNSPACED}(?:{UNSPACED}|\p{{M}})*", regex.V1)
_LETTERS: Final = rf"(?:(?!{UNSPACED})[\p{{L}}\p{{N}}])(?:(?!{UNSPACED})[\p{{L}}\p{{N}}\p{{M}}\u200c\u200d])*"
_ASCII_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
"""What `_WORD` finds in ASCII, ten times as fast."""
_WORD: Final = regex.compile(
    rf"(?P<run>{_UNSPACED_RUN.pattern})|{_LETTERS}(?:['\u2019]{_LETTERS})*", regex.V1
)


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
    """The words in order; "Mira's" and "don't" are one word each.

    Where a script puts no space between words, each two letters that stand together are one: a word is then
    found by its pairs, without a dictionary.
    """
    return list(_words(text))


def indexed_words(text: str) -> str:
    """The text as it is indexed by words: in its plain form, unspaced letters one by one and in pairs."""
    return _spaced(text, lambda run: [*_letters(run), *_pairs(run)])


def asked_words(text: str) -> str:
    """The text as it is asked for: a letter that stands alone, else pairs."""
    return _spaced(text, _pairs)


def first_word(text: str) -> str:
    """As `plain_word`; empty where there is no word."""
    return next((plain_word(word) for word in _words(text)), "")


def plain_word(word: str) -> str:
    """In its plain form, with straight apostrophes."""
    return plain_form(word).replace("\u2019", "'")


def _words(text: str) -> Iterator[str]:
    if text.isascii():
        for plain in _ASCII_WORD.finditer(text):
            yield plain[0]
        return
    for word in _WORD.finditer(text):
        if word["run"]:
            yield from _pairs(word[0])
        else:
            yield word[0]


def _spaced(text: str, words: Callable[[str], list[str]]) -> str:
    plain = plain_form(text)
    return plain if plain.isascii() else _UNSPACED_RUN.sub(lambda run: f" {' '.join(words(run[0]))} ", plain)


def _pairs(run: str) -> list[str]:
    letters = _letters(run)
    return [first + second for first, second in pairwise(letters)] or letters


def _letters(run: str) -> list[str]:
    return list(map(str, regex.findall(r"\X", run)))
