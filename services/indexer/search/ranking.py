"""Ranks candidates by a weighted sum of signals that a person can check.

Four lists give their best: by meaning and by words, each of a message alone and of a message with its
neighbours. Scores are added, not ranks (docs/adr/0003-scores-are-added-not-ranks.md). What else is known of a
message and of the question adds a little.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import numpy
from numpy.typing import NDArray

from services.indexer.passages.index import Candidate
from services.indexer.search.questions import Asked
from shared.contract.requests import Signal
from shared.language.times import Period

Column = NDArray[numpy.float64]
"""One value a candidate."""

_BEST_OF_SESSION = 5
_NO_SESSION = 0
_LONG_ENOUGH = 10
"""Words. More of them add nothing."""
_USED_MUCH = 10
_NEAR = timedelta(days=3)
"""A message may be about a time that is so far away, or farther for a long period."""


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every signal and its weight. Values are 0 to 1, and the weights add up to 1."""

    meaning: float = 0.13
    """Cosine of the message, between the lowest and the highest of this search."""
    meaning_near: float = 0.14
    """Cosine of the message with its neighbours, likewise."""
    words: float = 0.11
    """BM25 of the message, as a share of the highest of this search."""
    words_near: float = 0.12
    """BM25 of the message with its neighbours, likewise."""
    session: float = 0.08
    """The best five messages of its session, as a share of the best session's."""
    speaker: float = 0.16
    """The question names who said it."""
    role: float = 0.07
    """The user said it, and the question is about me; or the assistant, and it is about you."""
    tells: float = 0.05
    """It is not only a question."""
    length: float = 0.02
    """It has ten words or more; a share of it for fewer."""
    period: float = 0.05
    """It was said at the time that the question names; a share of it shortly before or after."""
    time: float = 0.03
    """It tells a time, and the question asks for one."""
    newest: float = 0.01
    """It is the latest of all found, and the question asks for the present; a share of it for earlier."""
    uses: float = 0.01
    """Ten answers stood on it; a share of it for fewer."""
    reliability: float = 0.02
    """How reliable its source was so far; half where that is not known, and for whatever is no page."""


WEIGHTS = Weights()
_OF_MEANING = ("meaning", "meaning_near")
_OF_WORDS = ("words", "words_near")
SIGNALS = Weights.__struct_fields__


class Ranked(msgspec.Struct, frozen=True):
    key: str
    score: float
    """0 to 1; comparable within one search."""
    values: tuple[float, ...]
    """In the order of `SIGNALS`."""
    weights: Weights

    @property
    def explain(self) -> dict[str, Signal]:
        """Every signal; the score is the sum of value times weight."""
        return {
            name: Signal(value, getattr(self.weights, name))
            for name, value in zip(SIGNALS, self.values, strict=True)
        }


def weights_for(familiarity: float) -> Weights:
    """Gives the weight of meaning to words, as far as the model does not know the words of the question.

    The cosines of letters that it never learned are chance, and `meaning` spreads them over 0 to 1 all the
    same.
    """
    kept = {name: getattr(WEIGHTS, name) * familiarity for name in _OF_MEANING}
    lost = sum(getattr(WEIGHTS, name) - weight for name, weight in kept.items())
    more = {name: getattr(WEIGHTS, name) + lost / len(_OF_WORDS) for name in _OF_WORDS}
    return msgspec.structs.replace(WEIGHTS, **kept, **more)


def rank(
    asked: Asked,
    candidates: Sequence[Candidate],
    *,
    now: datetime,
    weights: Weights = WEIGHTS,
    limit: int | None = None,
) -> list[Ranked]:
    """All of them or the first `limit`, best first; of equal ones the lower key first.

    A higher score in any search never ranks a message lower.
    """
    if not candidates:
        return []
    columns = signals(asked, candidates, now=now)
    scores = numpy.zeros(len(candidates))
    for name in SIGNALS:  # One by one, so a score depends on nothing but its own values.
        scores += getattr(weights, name) * columns[name]
    best = sorted(
        zip((-scores).tolist(), [one.key for one in candidates], range(len(candidates)), strict=True)
    )
    values = numpy.stack([columns[name] for name in SIGNALS], axis=1)
    return [Ranked(key, -score, tuple(values[place].tolist()), weights) for score, key, place in best[:limit]]


def signals(asked: Asked, candidates: Sequence[Candidate], *, now: datetime) -> dict[str, Column]:
    """The value of each signal for each candidate, 0 to 1."""
    numbers = numpy.array([_numbers(one) for one in candidates], dtype=numpy.float64)
    meaning, near, words, words_near, asks, length, tells_time, uses, reliability = numbers.T
    named = {speaker.casefold() for speaker in asked.speakers}
    role = "assistant" if asked.about_assistant else "user" if asked.about_me else ""
    sessions = _numbered([one.session_id for one in candidates])
    seconds = _seconds(candidates, now) if asked.periods or asked.wants_newest else None
    nothing = numpy.zeros(len(candidates))
    return {
        "meaning": _spread(meaning),
        "meaning_near": _spread(near),
        "words": _share(words),
        "words_near": _share(words_near),
        "session": (_of_session(sessions, near) + _of_session(sessions, words_near)) / 2,
        "speaker": _values([c.speaker.casefold() in named for c in candidates]) if named else nothing,
        "role": _values([c.role == role for c in candidates]) if role else nothing,
        "tells": 1.0 - asks,
        "length": (length / _LONG_ENOUGH).clip(0.0, 1.0),
        "period": nothing if seconds is None else _nearness(seconds, asked.periods),
        "time": tells_time if asked.wants_time else nothing,
        "newest": _spread(seconds) if seconds is not None and asked.wants_newest else nothing,
        "uses": (uses / _USED_MUCH).clip(0.0, 1.0),
        "reliability": reliability.clip(0.0, 1.0),
    }


def _numbers(one: Candidate) -> tuple[float | None, ...]:
    """A missing score becomes NaN."""
    return (
        *(one.meaning, one.meaning_near, one.words, one.words_near),
        *(one.asks, one.length, one.tells_time, one.uses, one.reliability),
    )


def _seconds(candidates: Sequence[Candidate], now: datetime) -> Column:
    """When each was said. A time in the future counts as now."""
    return _values([one.at.timestamp() for one in candidates]).clip(max=now.timestamp())


def _values(values: Sequence[float]) -> Column:
    return numpy.array(values, dtype=numpy.float64)


def _spread(scores: Column) -> Column:
    """Each score's place between the lowest and the highest; a missing one is at the bottom."""
    found = ~numpy.isnan(scores)
    if not found.any():
        return numpy.zeros(len(scores))
    low, high = numpy.nanmin(scores), numpy.nanmax(scores)
    return numpy.where(found, (scores - low) / (high - low) if high > low else 1.0, 0.0)


def _share(scores: Column) -> Column:
    """Each score's share of the highest; a missing one, and what is below 0, counts as 0."""
    above = numpy.fmax(scores, 0.0)
    high = above.max(initial=0.0)
    return above / high if high > 0 else numpy.zeros(len(scores))


def _of_session(sessions: NDArray[numpy.int64], scores: Column) -> Column:
    """The sum of the best few scores of each candidate's session, as a share of the best session's.

    Of the lists' own scores: a message whose score rises lifts its own session and no other.
    """
    scores = numpy.fmax(scores, 0.0)
    by_session = numpy.lexsort((-scores, sessions))
    grouped = sessions[by_session]
    place = numpy.arange(len(grouped)) - numpy.searchsorted(grouped, grouped)
    counts = (place < _BEST_OF_SESSION) & (grouped > _NO_SESSION)
    sums = numpy.zeros(len(sessions) + 1)
    numpy.add.at(sums, grouped[counts], scores[by_session][counts])
    return _share(sums[sessions])


def _numbered(sessions: Sequence[str]) -> NDArray[numpy.int64]:
    """A number for each session."""
    numbers = {"": _NO_SESSION}
    return numpy.array([numbers.setdefault(one, len(numbers)) for one in sessions], dtype=numpy.int64)


def _nearness(seconds: Column, periods: Sequence[Period]) -> Column:
    """1 within a period, and down to 0 in half its length, or `_NEAR`, before and after it."""
    best = numpy.zeros(len(seconds))
    for begin, end in periods:
        away = numpy.maximum(begin.timestamp() - seconds, seconds - end.timestamp()).clip(min=0.0)
        best = numpy.maximum(best, 1.0 - away / max(_NEAR, (end - begin) / 2).total_seconds())
    return best
