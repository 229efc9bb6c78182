"""Topic, intent, keywords and quality of a turn by plain means; no model is asked and none is pretended.

keywords: the terms with the most weight. A term weighs 2 for each time the user said it and 1 for each time
    the answer did, half as much again where it was written with a capital inside a sentence (a name).
topic: the three heaviest keywords.
intent: a question, a greeting, a request or a statement, by the first word and the last character.
quality: 0.5 for an answer that came to its own end, 0.3 for the similarity of the best source, 0.2 for an
    answer of at least three words.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from services.orchestrator.turn.state import Turn
from shared.contract.requests import Passage
from shared.language.questions import is_question, is_request_to_tell
from shared.language.sentences import sentences
from shared.language.words import STOP_WORDS, first_word, word_set

_MOST_KEYWORDS = 8
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]+")
_NO_KEYWORDS = STOP_WORDS | {"like", "turn"}
"""Of "I like tea" the keyword is tea; an answer names its sources as turns."""
_REQUEST_WORDS = word_set(
    "please give write make find compare translate help create draft suggest recommend remember"
)
_GREETINGS = word_set("hi hello hey thanks thank goodbye bye")


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What the index files a turn under. Found by plain means: no model is asked."""

    topic: str
    intent: str
    keywords: list[str]
    quality: float


def labels_of(turn: Turn) -> Labels:
    keywords = keywords_of(turn.request.input, "" if turn.quoted else turn.output)
    return Labels(
        topic=" ".join(keywords[:3]),
        intent=intent_of(turn.request.input),
        keywords=keywords,
        quality=quality_of(turn.output, turn.finish_reason, turn.passages),
    )


def keywords_of(said: str, answered: str) -> list[str]:
    """At most eight, heaviest first; terms of equal weight in the order they were said."""
    weights: defaultdict[str, float] = defaultdict(float)
    for text, weight in ((said, 2.0), (answered, 1.0)):
        for sentence in sentences(text):
            for place, word in enumerate(_WORD.findall(sentence)):
                term = word.lower().removesuffix("'s").removesuffix("\u2019s")
                if len(term) >= 3 and term not in _NO_KEYWORDS:
                    is_name = place > 0 and word[0].isupper()
                    weights[term] += weight * (1.5 if is_name else 1.0)
    # sorted() keeps the order of terms that weigh the same.
    return sorted(weights, key=lambda term: -weights[term])[:_MOST_KEYWORDS]


def intent_of(said: str) -> str:
    if is_question(said):
        return "question"
    first = first_word(said)
    if first in _GREETINGS:
        return "greeting"
    if first in _REQUEST_WORDS or is_request_to_tell(said):
        return "request"
    return "statement"


def quality_of(output: str, finish_reason: str, passages: Sequence[Passage]) -> float:
    ended = 0.5 if finish_reason == "stop" else 0.0
    grounded = 0.3 * max((max(0.0, passage.similarity) for passage in passages), default=0.0)
    substance = 0.2 if len(output.split()) >= 3 else 0.0
    return round(min(1.0, ended + grounded + substance), 3)
