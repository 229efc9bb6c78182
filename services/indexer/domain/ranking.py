"""Puts what the searches found into one order: a weighted sum of signals that a person can check.

Four searches give their best: by meaning and by words, each of a message alone and of a message with those
beside it. Scores are added, not ranks (docs/adr/0003-scores-are-added-not-ranks.md). What else is known of a
message, and of what is asked, adds a little.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import numpy
from numpy.typing import NDArray

from services.indexer.domain.asked import Asked, Period
from shared.replies import Signal

Kind = Literal["turn", "memory", "research"]
Role = Literal["user", "assistant", "other"]
Column = NDArray[numpy.float64]
"""One value a candidate."""

_BEST_OF_SESSION = 5
_NO_SESSION = 0
_LONG_ENOUGH = 10
"""Words; a message of more says no more for that."""
_USED_MUCH = 10
_BESIDE = timedelta(days=3)
"""At least so far from the time that is asked for, a message may still be about it."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A message that at least one search found. None: not among that search's best."""

    key: str
    kind: str
    session_id: str
    """Empty: said in no session."""
    ordinal: int
    speaker: str
    role: Role
    at: datetime
    asks: bool
    """It is only a question: `asked.is_question`."""
    length: int
    """In words."""
    uses: int
    """How often it was used lately."""
    meaning: float | None
    """Cosine of the question and the message, -1 to 1."""
    meaning_near: float | None
    """The same of the message together with those right before and after it."""
    words: float | None
    """BM25 of the question and `speaker: message`, 0 and above."""
    words_near: float | None
    """The same of the three messages together."""
    tells_time: bool = False
    """`asked.tells_time`."""
    part: int = 0
    """Of a long text, the part that was found best."""
    reliability: float = 0.5
    """Of the domain that a page is from; 0.5 where nothing is known, and of whatever is no page."""


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every signal there is, and how much it counts. Values are 0 to 1 and the weights add up to 1."""

    meaning: float = 0.13
    """Cosine of the message, between the lowest and the highest of this search."""
    meaning_near: float = 0.14
    """Cosine of the message with those beside it, likewise."""
    words: float = 0.11
    """BM25 of the message, as a share of the highest of this search."""
    words_near: float = 0.12
    """BM25 of the message with those beside it, likewise."""
    session: float = 0.08
    """The best five messages of its session, as a share of the best session's."""
    speaker: float = 0.16
    """The question names who said it."""
    role: float = 0.07
    """The user said it, and the question is about me; or the assistant, and it is about you."""
    tells: float = 0.05
    """It is not only a question."""
    length: float = 0.02
    """It has ten words or more; in part, where it has fewer."""
    period: float = 0.05
    """It was said at the time that the question names; in part, shortly before or after."""
    time: float = 0.03
    """It tells a time, and the question asks for one."""
    newest: float = 0.01
    """It is the latest of what was found, and the question asks for what is so now; in part, if earlier."""
    uses: float = 0.01
    """It was of use ten times lately; in part, where less often."""
    reliability: float = 0.02
    """Its source gave what was asked of it so far; half, where that is not known or it has none."""


WEIGHTS = Weights()
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


def rank(
    asked: Asked,
    candidates: Sequence[Candidate],
    *,
    now: datetime,
    weights: Weights = WEIGHTS,
    limit: int | None = None,
) -> list[Ranked]:
    """All of them or the first `limit`, best first; of equal ones the lower key.

    A higher score in any search never ranks a message lower.
    """
    columns = signals(asked, candidates, now=now)
    scores = numpy.zeros(len(candidates))
    for name in SIGNALS:  # One after the other, so that a score depends on nothing but its own values.
        scores += getattr(weights, name) * columns[name]
    best = sorted(
        zip((-scores).tolist(), [one.key for one in candidates], range(len(candidates)), strict=True)
    )
    return [
        Ranked(key, -score, tuple(float(columns[name][place]) for name in SIGNALS), weights)
        for score, key, place in best[:limit]
    ]


def signals(asked: Asked, candidates: Sequence[Candidate], *, now: datetime) -> dict[str, Column]:
    """Of every signal its value for each candidate, 0 to 1."""
    meaning, found_by_meaning = _column([c.meaning for c in candidates])
    near, found_near = _column([c.meaning_near for c in candidates])
    words, _ = _column([c.words for c in candidates])
    words_near, _ = _column([c.words_near for c in candidates])
    named = {speaker.casefold() for speaker in asked.speakers}
    role = "assistant" if asked.about_assistant else "user" if asked.about_me else ""
    # What lies ahead counts as said now.
    seconds = _values([c.at.timestamp() for c in candidates]).clip(max=now.timestamp())
    sessions = _numbered([c.session_id for c in candidates])
    nothing = numpy.zeros(len(candidates))
    return {
        "meaning": _spread(meaning, found_by_meaning),
        "meaning_near": _spread(near, found_near),
        "words": _share(words),
        "words_near": _share(words_near),
        "session": (_of_session(sessions, near) + _of_session(sessions, words_near)) / 2,
        "speaker": _values([c.speaker.casefold() in named for c in candidates]) if named else nothing,
        "role": _values([c.role == role for c in candidates]) if role else nothing,
        "tells": _values([not c.asks for c in candidates]),
        "length": (_values([c.length for c in candidates]) / _LONG_ENOUGH).clip(0.0, 1.0),
        "period": _nearness(seconds, asked.periods),
        "time": _values([c.tells_time for c in candidates]) if asked.wants_time else nothing,
        "newest": _spread(seconds, seconds > -numpy.inf) if asked.wants_newest else nothing,
        "uses": (_values([c.uses for c in candidates]) / _USED_MUCH).clip(0.0, 1.0),
        "reliability": _values([c.reliability for c in candidates]).clip(0.0, 1.0),
    }


def _column(scores: Sequence[float | None]) -> tuple[Column, NDArray[numpy.bool_]]:
    """The scores, 0 for a missing one, and which are there."""
    found = numpy.array([score is not None for score in scores], dtype=bool)
    return numpy.array([score or 0.0 for score in scores], dtype=numpy.float64), found


def _values(values: Sequence[float]) -> Column:
    return numpy.array(values, dtype=numpy.float64)


def _spread(scores: Column, found: NDArray[numpy.bool_]) -> Column:
    """Each score's place between the lowest and the highest; a missing one is at the bottom."""
    if not found.any():
        return numpy.zeros(len(scores))
    low, high = scores[found].min(), scores[found].max()
    return numpy.where(found, (scores - low) / (high - low) if high > low else 1.0, 0.0)


def _share(scores: Column) -> Column:
    """Each score's share of the highest; what is below 0 counts as 0."""
    high = scores.max(initial=0.0)
    return numpy.maximum(scores, 0.0) / high if high > 0 else numpy.zeros(len(scores))


def _of_session(sessions: NDArray[numpy.int64], scores: Column) -> Column:
    """Of each candidate's session the sum of the best few scores, as a share of the best session's.

    Of the searches' own scores, so that a message whose score rises takes its session along and no other.
    """
    scores = numpy.maximum(scores, 0.0)
    by_session = numpy.lexsort((-scores, sessions))
    grouped = sessions[by_session]
    place = numpy.arange(len(grouped)) - numpy.searchsorted(grouped, grouped)
    counts = (place < _BEST_OF_SESSION) & (grouped > _NO_SESSION)
    sums = numpy.zeros(len(sessions) + 1)
    numpy.add.at(sums, grouped[counts], scores[by_session][counts])
    return _share(sums[sessions])


def _numbered(sessions: Sequence[str]) -> NDArray[numpy.int64]:
    """A number for each session, in place of its name."""
    numbers = {"": _NO_SESSION}
    return numpy.array([numbers.setdefault(one, len(numbers)) for one in sessions], dtype=numpy.int64)


def _nearness(seconds: Column, periods: Sequence[Period]) -> Column:
    """1 within a period, and down to 0 in half its length, or `_BESIDE`, before and after it."""
    best = numpy.zeros(len(seconds))
    for begin, end in periods:
        away = numpy.maximum(begin.timestamp() - seconds, seconds - end.timestamp()).clip(min=0.0)
        best = numpy.maximum(best, 1.0 - away / max(_BESIDE, (end - begin) / 2).total_seconds())
    return best
