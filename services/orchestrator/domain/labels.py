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

from services.orchestrator.domain.endings import Labels
from services.orchestrator.domain.turn import Turn
from shared.english import QUESTION_WORDS, STOP_WORDS
from shared.replies import Passage

_MOST_KEYWORDS = 8
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]+")
_SENTENCE_START = re.compile(r"(?:^|[.!?]\s+|\n\s*)$")
_REQUEST = """please tell give show write make find list explain describe compare summarise summarize
translate remind help create draft suggest recommend remember"""
_REQUEST_WORDS = frozenset(_REQUEST.split())
_GREETINGS = frozenset({"hi", "hello", "hey", "thanks", "thank", "goodbye", "bye"})


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
        for match in _WORD.finditer(text):
            word = match.group()
            term = word.lower().removesuffix("'s").removesuffix("\u2019s")
            if term in STOP_WORDS or len(term) < 3:
                continue
            is_name = word[0].isupper() and not _SENTENCE_START.search(text[: match.start()][-3:])
            weights[term] += weight * (1.5 if is_name else 1.0)
    # sorted() keeps the order of terms that weigh the same.
    return sorted(weights, key=lambda term: -weights[term])[:_MOST_KEYWORDS]


def intent_of(said: str) -> str:
    words = [word.lower() for word in _WORD.findall(said[:200])]
    first = words[0] if words else ""
    if said.rstrip().endswith("?") or first in QUESTION_WORDS:
        return "question"
    if first in _GREETINGS:
        return "greeting"
    if first in _REQUEST_WORDS:
        return "request"
    return "statement"


def quality_of(output: str, finish_reason: str, passages: Sequence[Passage]) -> float:
    ended = 0.5 if finish_reason == "stop" else 0.0
    grounded = 0.3 * max((max(0.0, passage.similarity) for passage in passages), default=0.0)
    substance = 0.2 if len(output.split()) >= 3 else 0.0
    return round(min(1.0, ended + grounded + substance), 3)
