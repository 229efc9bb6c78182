"""Estimates the tokens of a text where no tokenizer can be asked."""

from collections.abc import Iterable
from typing import Final

CHARACTERS_A_TOKEN: Final = 4
"""Of English text, with today's tokenizers. Other languages and code have more tokens."""


def estimate_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_A_TOKEN)


def estimate_all(texts: Iterable[str]) -> list[int]:
    return [estimate_tokens(text) for text in texts]
