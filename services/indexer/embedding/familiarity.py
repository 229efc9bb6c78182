"""How well a model knows the words of a text, by its own tokenizer."""

from typing import Final

from tokenizers import Tokenizer

_KNOWN: Final = 0.6
_STRANGE: Final = 0.9
"""Pieces a letter. Words that a model has learned are cut into few pieces, all others letter by letter.

MiniLM: English 0.1 to 0.5, German and Turkish up to 0.6, Hebrew, Thai or Chinese 0.9 and more.
"""
_UNKNOWN: Final = ("[UNK]", "<unk>")


def familiarity_of(text: str, tokenizer: Tokenizer) -> float:
    """From 0, where it reads letters alone, to 1."""
    letters = sum(map(str.isalpha, text))
    if letters == 0:
        return 1.0
    encoding = tokenizer.encode(text, add_special_tokens=False)
    if len(encoding.tokens) <= _KNOWN * letters and not set(encoding.tokens).intersection(_UNKNOWN):
        return 1.0  # No piece counts more than once.
    pieces = 0
    for token, (begin, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        own = sum(map(str.isalpha, text[begin:end]))
        pieces += own if token in _UNKNOWN else min(own, 1)
    return min(1.0, max(0.0, (_STRANGE - pieces / letters) / (_STRANGE - _KNOWN)))
