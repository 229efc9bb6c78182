"""The stems of words: "lives" and "living" are one. In its own file, since the stemmer is slow to import."""

import re
from functools import lru_cache
from typing import Final

import snowballstemmer

from shared.language.sentences import ENGLISH, sentences
from shared.language.words import STOP_WORDS, plain_word, words_of

_POSSESSIVE: Final = re.compile(r"'s?$")
_MOST_STEMS: Final = 65_536


class Stems:
    """Stems of words (Snowball's English algorithm). They are kept, since the stemmer takes 60 us a word.

    One for each thread: the stemmer has a state while it works.
    """

    def __init__(self) -> None:
        self._stemmer = snowballstemmer.stemmer("english")
        self.stem = lru_cache(_MOST_STEMS)(self._stem)

    def _stem(self, word: str) -> str:
        """Empty for a stop word."""
        plain = _POSSESSIVE.sub("", plain_word(word))
        return "" if plain in STOP_WORDS else str(self._stemmer.stemWord(plain))

    def content(self, text: str) -> set[str]:
        """The stems of the words that carry meaning."""
        return set(map(self.stem, words_of(text))) - {""}

    def names(self, text: str, language: str = ENGLISH) -> set[str]:
        """The stems of words with a capital that do not only begin a sentence."""
        return {
            self.stem(word)
            for sentence in sentences(text, language)
            for word in words_of(sentence)[1:]
            if word[0].isupper()
        } - {""}

    def forget(self) -> None:
        """Empties what is kept of texts."""
        self.stem.cache_clear()
