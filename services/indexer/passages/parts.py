"""Cuts a text into parts that an embedding model reads whole. The parts of a long text overlap.

The length is an estimate of the word pieces of MiniLM, which reads 256: a plain word has 1.3 of them, a
letter of another script than Latin one, a syllable of Hangul up to three. A test compares it with the
tokenizer.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import regex

from shared.language.words import UNSPACED

_PART: Final = 160.0
"""In plain words; about 210 word pieces."""
_OVERLAP: Final = 30.0
_LONGEST_PIECE: Final = 20.0
_LONG_WORD: Final = 24
"""Letters. Up to here a Latin word counts as one."""
_LETTER: Final = 0.65
"""Of another script, in plain words."""
_UNSPACED_LETTER: Final = 2.0
"""More than its pieces: the packaged model finds a fact among 80 such letters, and not among 240."""
_OTHER_LETTER: Final = regex.compile(r"[^\p{Latin}\p{Common}\p{Inherited}]")
_UNSPACED: Final = regex.compile(UNSPACED, regex.V1)
_HANGUL: Final = regex.compile(r"\p{Hangul}")
_END: Final = regex.compile(r"[\u3002\uff01\uff1f\uff61\u0964\u0965\u104a\u104b\u17d4\u17d5\u06d4]$")
"""Of a sentence, in scripts that put no space behind it."""
_SENTENCE: Final = regex.compile(
    r"[^\u3002\uff01\uff1f\uff61\u0964\u0965\u104a\u104b\u17d4\u17d5\u06d4]*\X?", regex.S
)


class _Piece(msgspec.Struct, frozen=True):
    text: str
    length: float
    starts_word: bool


def parts_of(text: str) -> Iterator[str]:
    """A short text is its only part, letter by letter. A grapheme is never cut."""
    pieces = [piece for word in text.split() for piece in _pieces(word)]
    if sum(piece.length for piece in pieces) <= _PART:
        yield text
        return
    begin = 0
    while True:
        end = _end_of_part(pieces, begin)
        yield _joined(pieces[begin:end])
        if end == len(pieces):
            return
        begin = _begin_of_next(pieces, begin, end)


def _end_of_part(pieces: Sequence[_Piece], begin: int) -> int:
    """Behind a sentence where one of the other scripts ends in the last third."""
    end, length, sentence = begin, 0.0, 0
    while end < len(pieces) and (length := length + pieces[end].length) <= _PART:
        end += 1
        if length > _PART * 2 / 3 and _END.search(pieces[end - 1].text):
            sentence = end
    return end if end == len(pieces) else sentence or end


def _begin_of_next(pieces: Sequence[_Piece], begin: int, end: int) -> int:
    next_begin, length = end, 0.0
    while next_begin > begin + 1 and (length := length + pieces[next_begin - 1].length) <= _OVERLAP:
        next_begin -= 1
    return next_begin


def _joined(pieces: Sequence[_Piece]) -> str:
    return "".join(f" {piece.text}" if piece.starts_word else piece.text for piece in pieces).strip()


def _pieces(word: str) -> Iterator[_Piece]:
    """The word, or where it is long its sentences, or as many letters as fit."""
    if (length := _length(word)) <= _LONGEST_PIECE:
        yield _Piece(word, length, starts_word=True)
        return
    starts_word = True
    for sentence in filter(None, _SENTENCE.findall(word)):
        for text in _slices(sentence):
            yield _Piece(text, _length(text), starts_word)
            starts_word = False


def _slices(sentence: str) -> Iterator[str]:
    letters: list[str] = []
    length = 0.0
    for letter in regex.findall(r"\X", sentence):
        own = max(_letter_length(letter), 0.6)
        if letters and length + own > _LONGEST_PIECE:
            yield "".join(letters)
            letters, length = [], 0.0
        letters.append(letter)
        length += own
    yield "".join(letters)


def _length(word: str) -> float:
    if len(word) <= _LONG_WORD and word.isascii():
        return 1.0
    if len(word) > _LONG_WORD:
        return max(_letter_length(word), 0.6 * len(word))
    return max(1.0, _letter_length(word))


def _letter_length(text: str) -> float:
    unspaced = len(_UNSPACED.findall(text))
    others = len(_OTHER_LETTER.findall(text)) + 2 * len(_HANGUL.findall(text)) - unspaced
    return _LETTER * max(others, 0) + _UNSPACED_LETTER * unspaced
