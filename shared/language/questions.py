"""Whether an English text asks, and for what."""

import re
from itertools import pairwise
from typing import Final

from shared.language.sentences import ENGLISH, sentences
from shared.language.words import STOP_WORDS, first_word, plain_word, word_set, words_of

_ASKING = word_set("who whom whose what which when where why how")
_AUXILIARY = word_set(
    """is are was were am do does did can could will would shall should may might must have has had
    isn't aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't shouldn't
    haven't hasn't hadn't"""
)
_TELLING = word_set("tell show remind explain describe list summarise summarize recall")
_BEGINS_ASKING = _ASKING | _AUXILIARY
_BEFORE_ASKING = word_set("about after and at but by for from in of on since so to until with")
_PRONOUNS = word_set("i you he she it we they")
_SUPPOSING = word_set("had were should")
"""Before a pronoun they suppose: "Should you need me, call"."""
_MARK: Final = re.compile(r"[?\uff1f\u061f]")
_ENDS_ASKING: Final = re.compile(r"[?\uff1f\u061f][\"'\u201d\u2019)\]!.]*$")
_ASIDE_WORDS: Final = 3
"""So much may be said before a question ("Oh, nice!") that is only a question all the same."""


def is_question(text: str, language: str = ENGLISH) -> bool:
    """Whether it ends with a question mark, or its first sentence asks.

    In doubt it is none: "When I was young I lived in Rome." tells something, and so do "Have a dog." and
    "Guess what? I moved to Rome."
    """
    if ends_asking(text):
        return True
    if first_word(text) not in _BEGINS_ASKING and not _MARK.search(text):
        return False
    return _asks(next(sentences(text, language), ""))


def _asks(sentence: str) -> bool:
    first, second = map(plain_word, [*words_of(sentence), "", ""][:2])
    begins = first in _BEGINS_ASKING
    if ends_asking(sentence):  # "At which place is it?" asks, "My sister?" may begin a story.
        return begins or (first in _BEFORE_ASKING and second in _ASKING)
    if not begins or sentence.endswith("!"):
        return False
    if not sentence.endswith("."):
        return True
    if first in _ASKING:  # "What is my name."
        return second in _AUXILIARY
    return second in _PRONOUNS and first not in _SUPPOSING  # "Can you tell me my name."


def ends_asking(text: str) -> bool:
    return _ENDS_ASKING.search(text.rstrip()) is not None


def is_yes_no_question(text: str) -> bool:
    return first_word(text) in _AUXILIARY


def is_request_to_tell(text: str) -> bool:
    """Whether it begins as "Tell me about Mira" does."""
    return first_word(text) in _TELLING


def only_asks(message: str, language: str = ENGLISH) -> bool:
    """Whether a message has a question and next to nothing else, and so hardly ever holds an answer.

    By the mark alone, other than `is_question`: in conversations "Did my taxes today" tells something.
    """
    if not _MARK.search(message):
        return False
    asked, told_words = False, 0
    for sentence in sentences(message, language):
        if ends_asking(sentence):
            asked = True
        elif (told_words := told_words + len(sentence.split())) > _ASIDE_WORDS:
            return False
    return asked


def asked_kind(question: str) -> set[str]:
    """The words right after "which" or "what" ("which city"): answers are of that kind and seldom say so."""
    words = [word.lower() for word in words_of(question)]
    return {after for word, after in pairwise(words) if word in {"which", "what"}} - STOP_WORDS
