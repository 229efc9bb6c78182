"""What may be said as one piece of an answer: a sentence, or a part of a long one."""

import re
from collections.abc import Iterator

from shared.language.sentences import sentences

_MARKUP = re.compile(r"^\s*[>#]+\s+", re.MULTILINE)
_MOST_WORDS = 60


def pieces_of(text: str) -> Iterator[str]:
    """The sentences with their spaces made single, without marks of quotations and headings."""
    for sentence in sentences(_MARKUP.sub("", text)):
        words = sentence.split()
        for start in range(0, len(words), _MOST_WORDS):
            yield " ".join(words[start : start + _MOST_WORDS])
