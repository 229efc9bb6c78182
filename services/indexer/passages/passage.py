"""A passage: a message, or one part of a long one. It is one point in the index.

A passage is searched alone, and together with the passages right before and after it: an answer often means
nothing without its question. The parts of a long message overlap.
"""

from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec
import numpy
from numpy.typing import NDArray

from services.indexer.passages.message import StoredMessage
from services.indexer.passages.parts import parts_of
from shared.language.questions import only_asks
from shared.language.times import tells_time

Vectors = NDArray[numpy.float32]
"""One vector, or one a row."""
PASSAGES_VERSION = 3
"""Raise it when another vector or other words are made of the same text. All points are then made anew."""
ECHO = "yes"
_SHARE_OF_NEIGHBOURS = 0.5
"""The weight of the vectors of the passages before and after."""


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """`before` and `after`: the words of its neighbours in the session; empty at the ends."""

    message: StoredMessage
    part: int
    text: str
    before: str = ""
    after: str = ""

    @property
    def id(self) -> UUID:
        """Of the first part the id of the message."""
        return self.message.point_id if self.part == 0 else uuid5(self.message.point_id, str(self.part))

    @property
    def words(self) -> str:
        """With the speaker's name, which a question may hold. The vector does better without it."""
        return _words_of(self.message, self.text)

    @property
    def words_near(self) -> str:
        return "\n".join(filter(None, (self.before, self.words, self.after)))

    def payload(self) -> dict[str, object]:
        said = self.message
        return {
            "message": str(said.point_id),
            "part": self.part,
            "user": said.user,
            "session_id": said.session_id,
            "ordinal": said.ordinal,
            "speaker": said.speaker.casefold(),
            "role": said.role,
            "timestamp": said.at.isoformat(),
            "asks": only_asks(said.text),
            "tells_time": tells_time(said.text),
            "length": len(said.text.split()),
            "uses": said.uses,
            # As a word: Qdrant Edge 0.9 reads a condition on true as one on the number 1.
            "is_echo": ECHO if said.is_echo else "no",
            **({"turn_id": said.turn_id, "turn_number": said.turn_number} if said.turn_id else {}),
            **said.labels,
        }


def passages_of(session: Sequence[StoredMessage]) -> list[Passage]:
    """The passages of consecutive messages of one session, in order."""
    parts = [(message, *part) for message in session for part in enumerate(parts_of(message.text))]
    return [
        Passage(
            message=message,
            part=number,
            text=text,
            before=_words_at(parts, i - 1),
            after=_words_at(parts, i + 1),
        )
        for i, (message, number, text) in enumerate(parts)
    ]


def part_of(text: str, number: int) -> str:
    """The part of a text with this number; the first part where there is no such number."""
    parts = list(parts_of(text))
    return parts[number if number < len(parts) else 0]


Run = Sequence[Passage]
"""Consecutive passages of one session."""


def runs_of(messages: Sequence[StoredMessage]) -> list[list[StoredMessage]]:
    """Splits messages, sorted by user, session and place, into runs without a gap."""
    runs: list[list[StoredMessage]] = []
    for message in messages:
        if runs and _follows(message, runs[-1][-1]):
            runs[-1].append(message)
        else:
            runs.append([message])
    return runs


def _follows(message: StoredMessage, last: StoredMessage) -> bool:
    same_session = (message.user, message.session_id) == (last.user, last.session_id)
    return same_session and message.ordinal == last.ordinal + 1


def near_vectors(vectors: Vectors) -> Vectors:
    """Adds half of each neighbour's vector. `vectors`: consecutive passages of one session, a row each.

    Returns unit vectors. Such a mean costs no call of the model and finds as much as the vector of the joined
    text (measured: docs/memory.md).
    """
    near = vectors.copy()
    near[1:] += _SHARE_OF_NEIGHBOURS * vectors[:-1]
    near[:-1] += _SHARE_OF_NEIGHBOURS * vectors[1:]
    unit: Vectors = near / numpy.maximum(numpy.linalg.norm(near, axis=1, keepdims=True), 1e-9)
    return unit


def _words_at(parts: Sequence[tuple[StoredMessage, int, str]], place: int) -> str:
    return _words_of(parts[place][0], parts[place][2]) if 0 <= place < len(parts) else ""


def _words_of(message: StoredMessage, text: str) -> str:
    return text if message.role in ("user", "assistant") else f"{message.speaker}: {text}"
