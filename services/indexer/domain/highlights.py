"""Which sentences of a text show why it was found."""

import re
from collections.abc import Set
from functools import cache, lru_cache

import snowballstemmer

from shared.english import STOP_WORDS

_MOST = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\w+")


def highlights(text: str, asked: Set[str]) -> list[str]:
    """At most three sentences that share words with the query, most of them first. `asked`: its `stems`."""
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    shared = [(len(asked & stems(sentence)), i) for i, sentence in enumerate(sentences)]
    best = sorted((pair for pair in shared if pair[0]), key=lambda pair: (-pair[0], pair[1]))
    return [sentences[i] for _, i in best[:_MOST]]


def forget_words() -> None:
    """Empties what is kept of texts."""
    _stem.cache_clear()


def stems(text: str) -> set[str]:
    """Of the words that say something."""
    return {_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS}


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """Kept, since texts repeat their words: the stemmer is Python and takes 60 us a word."""
    return str(_stemmer().stemWord(word))


@cache
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")
