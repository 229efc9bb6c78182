"""One form of all ways to write a word, by which words are compared."""

import unicodedata
from typing import Final

import regex

_GREEK: Final = regex.compile(r"\p{Greek}+")
_UNSEEN: Final = regex.compile(r"[\p{Cf}\u0640]+")
"""Joiners, marks of direction, soft hyphens, and the stroke that makes an Arabic word longer."""
_DOTLESS: Final = str.maketrans("\u0131", "i")


def plain_form(text: str) -> str:
    """Without case, compatibility forms, unseen signs and marks above or below that people leave out.

    "STRASSE" and "Stra\u00dfe", "ISI" and "\u0131s\u0131", full-width and other letters become one. Vowel
    points of Arabic and Hebrew go; so do the accents of Greek, which capitals do not have. Latin and
    Cyrillic letters keep their accents: they are other letters.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = _UNSEEN.sub("", folded).translate(_DOTLESS)
    folded = _GREEK.sub(lambda word: unicodedata.normalize("NFD", word[0]), folded)
    return "".join(letter for letter in folded if not unicodedata.combining(letter))
