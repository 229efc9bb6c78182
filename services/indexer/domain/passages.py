"""What of a message is searched, and how it is stored beside its vectors.

A message is searched by itself and together with what was said right before and after it: an answer often
means nothing without its question. A long message is searched in parts that overlap.
"""

from collections.abc import Iterator, Sequence
from uuid import UUID, uuid5

import msgspec
import numpy
from numpy.typing import NDArray

from services.indexer.domain.asked import is_question, tells_time
from services.indexer.domain.messages import StoredMessage

PASSAGES_VERSION = 2
"""Rises when another vector or other words are made of the same text: the points have to be made anew."""
ECHO = "yes"
_PART_WORDS = 160
"""About 210 word pieces: MiniLM reads 256."""
_OVERLAP_WORDS = 30
_BESIDE = 0.5
"""How much of the vector of what was said before and after."""


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a message, mostly all of it: one point in the index."""

    message: StoredMessage
    part: int
    text: str
    before: str = ""
    after: str = ""
    """The words of the passages beside it in its session; empty at the ends."""

    @property
    def id(self) -> UUID:
        """The message's own for its first part."""
        return self.message.point_id if self.part == 0 else uuid5(self.message.point_id, str(self.part))

    @property
    def words(self) -> str:
        """With a speaker's name, which a question may hold. The vector does better without."""
        return worded(self.message, self.text)

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
            "asks": is_question(said.text),
            "tells_time": tells_time(said.text),
            "length": len(said.text.split()),
            "uses": said.uses,
            # As a word: Qdrant Edge 0.9 reads a condition on true as one on the number 1.
            "is_echo": ECHO if said.is_echo else "no",
            **({"turn_id": said.turn_id, "turn_number": said.turn_number} if said.turn_id else {}),
            **said.labels,
        }


def passages_of(session: Sequence[StoredMessage]) -> list[Passage]:
    """The passages of consecutive messages of one session, in order, each with what stands beside it."""
    parts = [(message, *part) for message in session for part in enumerate(_parts(message.text))]
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
    """The part of a text that a passage with this number has; the first one where there is none."""
    parts = list(_parts(text))
    return parts[number if number < len(parts) else 0]


def runs_of(messages: Sequence[StoredMessage]) -> list[list[StoredMessage]]:
    """Messages that are sorted by user, session and place, as stretches without a gap."""
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


def near_vectors(vectors: NDArray[numpy.float32]) -> NDArray[numpy.float32]:
    """Of consecutive passages of one session, shape (passages, dimension): each with half of those beside it.

    The mean of vectors stands for the vector of the joined text: it costs no call of the model, and was
    measured to find as much (docs/memory.md).
    """
    near = vectors.copy()
    near[1:] += _BESIDE * vectors[:-1]
    near[:-1] += _BESIDE * vectors[1:]
    unit: NDArray[numpy.float32] = near / numpy.maximum(numpy.linalg.norm(near, axis=1, keepdims=True), 1e-9)
    return unit


def _words_at(parts: Sequence[tuple[StoredMessage, int, str]], place: int) -> str:
    return worded(parts[place][0], parts[place][2]) if 0 <= place < len(parts) else ""


def worded(message: StoredMessage, text: str) -> str:
    return text if message.role in ("user", "assistant") else f"{message.speaker}: {text}"


def _parts(text: str) -> Iterator[str]:
    words = text.split()
    if len(words) <= _PART_WORDS:
        yield text
        return
    step = _PART_WORDS - _OVERLAP_WORDS
    for begin in range(0, max(1, len(words) - _OVERLAP_WORDS), step):
        yield " ".join(words[begin : begin + _PART_WORDS])
