"""Answers without a generative model: quotes the sentences of memory that match the question best.

A sentence's score is `0.6 * coverage + 0.4 * similarity`. *Coverage* is the share of the question's content
words that the sentence has, by weight. A name counts double. A word that few sentences have counts up to half
more. The kind of answer that is asked for ("which city") counts a third. A word that only the sentence before
has counts half, for "She lives in Lisbon". *Similarity* is the passage's cosine, at least 0. A sentence with
a score under `THRESHOLD` is never said. So an answer is either a quote, or it says that nothing is known.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from services.inference.extractive.pieces import pieces_of
from shared.contract.derivation import derive
from shared.contract.events import Source
from shared.contract.requests import Passage
from shared.language.own_words import Why, parts_of
from shared.language.questions import (
    asked_kind,
    ends_asking,
    is_question,
    is_request_to_tell,
    is_yes_no_question,
)
from shared.language.sentences import sentences
from shared.language.statements import read_statements
from shared.language.stems import Stems

NOTHING_KNOWN: Final = "Nothing is known about that."
NOTED: Final = "Noted. Nothing else is known about that."
THRESHOLD: Final = 0.5
"""Half the words with a similarity of 0.5 pass; a third of them with 0.6 do not."""

_WORDS_SHARE = 0.6
_CLOSE_TO_BEST = 0.8
_MOST_SENTENCES = 3
_ONE_WORD_SIMILARITY = 0.35
"""One shared common word says little, unless the whole passage is about the same thing."""
_MEMORY_SIMILARITY = 0.2
"""A memory is one short sentence about the user, so a lower similarity is enough."""
_GENERATED_SHARE = 0.9
"""The words of a model count a little less than the words of the user."""

_OF_ANOTHER: Final[frozenset[Why]] = frozenset(
    {"code", "quoted", "pasted", "reported", "played", "handed over", "withdrawn", "supposed"}
)


class Answer(msgspec.Struct, frozen=True):
    """The text and the passages that it quotes."""

    text: str
    sources: list[Source]


class _Candidate(msgspec.Struct, frozen=True):
    """A sentence that may be said, with its own stems and those of the sentence before it."""

    text: str
    passage: Passage
    share: float
    stems: set[str]
    before: set[str]


class _Question(msgspec.Struct, frozen=True):
    """The question: the weight of each content word, the names in it, and whether yes or no can answer it."""

    weights: dict[str, float]
    names: set[str]
    yes_no: bool


def find_answer(question: str, passages: Sequence[Passage], mark: str = "({})") -> Answer:
    """Returns the sentences of `passages` that answer `question`, or says that nothing is known.

    `mark` follows each sentence; the name of its passage fills the braces.
    """
    stems = Stems()
    past = {_plain(words) for passage in passages for words in passage.outdated}
    candidates = [
        candidate
        for passage in passages
        for candidate in _candidates(passage, stems)
        if passage.kind == "memory" or not _is_past(candidate.text, past)
    ]
    asked = _understand(question, passages, candidates, stems)
    scored = [(_score(candidate, asked), candidate) for candidate in candidates]
    good = [(score, candidate) for score, candidate in scored if score >= THRESHOLD]
    chosen = _choose([(score, candidate) for score, candidate in good if not _is_of_another(candidate)])
    is_asked = _wants_answer(question)
    if not chosen:
        return Answer(NOTHING_KNOWN if is_asked else NOTED, [])
    said = " ".join(f"{candidate.text} {mark.format(candidate.passage.name)}" for candidate in chosen)
    return Answer(said if is_asked else f"Noted. {said}", _sources(chosen))


def split_words(text: str) -> list[str]:
    """The words of the text, each with the spaces that follow it. Joined they are the text."""
    return re.findall(r"\S+\s*", text)


def _wants_answer(text: str) -> bool:
    return is_question(text) or is_request_to_tell(text)


def _candidates(passage: Passage, stems: Stems) -> Iterator[_Candidate]:
    texts = (
        [(passage.input, 1.0)]
        if passage.quoted
        else [(passage.input, 1.0), (passage.output, _GENERATED_SHARE)]
    )
    # The speaker belongs to every sentence: "I have a dog" is about Caroline where Caroline said it.
    speaker = stems.content(passage.speaker) if passage.turn_id is None else set()
    for text, share in texts:
        before = speaker
        for sentence in pieces_of(text):
            content = stems.content(sentence)
            if not _wants_answer(sentence):
                yield _Candidate(sentence, passage, share, content, before)
            before = content | speaker


def _is_past(sentence: str, past: set[str]) -> bool:
    """Whether a newer memory contradicts the sentence or a part of it."""
    said = _plain(sentence)
    return any(words in said or said in words for words in past)


def _is_of_another(candidate: _Candidate) -> bool:
    """Whether it reads as what the user says of themselves, and was quoted, pasted, played or taken back."""
    if not read_statements(candidate.text):
        return False
    parts = parts_of(candidate.passage.input)
    return any(part.why in _OF_ANOTHER and candidate.text in part.text for part in parts)


def _plain(words: str) -> str:
    return " ".join(re.findall(r"\w+", words.casefold()))


def _understand(
    question: str, passages: Sequence[Passage], candidates: Sequence[_Candidate], stems: Stems
) -> _Question:
    asking = [sentence for sentence in sentences(question) if ends_asking(sentence)]
    text = " ".join(asking) or question
    words = stems.content(text)
    # A name without its capital letter is recognised where memory writes it with one.
    names = words & (
        stems.names(text) | {name for passage in passages for name in stems.names(passage.input)}
    )
    kinds = {stems.stem(word) for word in asked_kind(text)} - names
    weights = {}
    for word in words:
        having = sum(word in candidate.stems for candidate in candidates)
        weight = 2.0 if word in names else 0.3 if word in kinds and len(words) > 1 else 1.0
        weights[word] = weight * _rarity(having, len(candidates))
    return _Question(weights, names, is_yes_no_question(text))


def _rarity(having: int, of: int) -> float:
    """From 1 for a word that all sentences have, to 1.5. A word that no sentence has gets 1: it proves
    nothing."""
    if having == 0 or of < 2:
        return 1.0
    return 1.0 + 0.5 * math.log((of + 1) / (having + 1)) / math.log(of + 1)


def _score(candidate: _Candidate, asked: _Question) -> float:
    matched = candidate.stems & asked.weights.keys()
    recalled = (candidate.before & asked.weights.keys()) - matched
    similarity = max(0.0, candidate.passage.similarity)
    if not matched or (asked.names and not asked.names & (matched | recalled)):
        return 0.0
    if candidate.stems <= asked.weights.keys() and not asked.yes_no:
        return 0.0  # The sentence adds nothing to the question.
    needed = _MEMORY_SIMILARITY if candidate.passage.kind == "memory" else _ONE_WORD_SIMILARITY
    if len(matched) == 1 and not matched & asked.names and similarity < needed:
        return 0.0
    weight = sum(asked.weights[word] for word in matched) + 0.5 * sum(
        asked.weights[word] for word in recalled
    )
    coverage = weight / sum(asked.weights.values())
    return candidate.share * (_WORDS_SHARE * coverage + (1 - _WORDS_SHARE) * similarity)


def _choose(scored: Sequence[tuple[float, _Candidate]]) -> list[_Candidate]:
    """The best few sentences, each text once. Of two with the same score the later one comes first."""
    ranked = sorted(scored, key=lambda pair: (pair[0], *_newness(pair[1].passage)), reverse=True)
    chosen: dict[str, _Candidate] = {}
    for score, candidate in ranked:
        if score >= _CLOSE_TO_BEST * ranked[0][0]:
            chosen.setdefault(candidate.text.casefold(), candidate)
    return list(chosen.values())[:_MOST_SENTENCES]


def _newness(passage: Passage) -> tuple[float, int]:
    return (passage.at.timestamp() if passage.at else 0.0, passage.turn_number or 0)


def _sources(chosen: Sequence[_Candidate]) -> list[Source]:
    """One source for each passage, with all its quoted sentences."""
    quotes: dict[tuple[str, str], list[_Candidate]] = {}
    for candidate in chosen:
        of = candidate.passage
        quotes.setdefault((of.session_id, of.id or of.name), []).append(candidate)
    return [
        derive(Source, quoted[0].passage, quote=" ".join(candidate.text for candidate in quoted))
        for quoted in quotes.values()
    ]
