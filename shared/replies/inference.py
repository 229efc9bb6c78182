"""inference.*: what the inference worker answers."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec

from shared.events import Origin, Score, Source, Usage
from shared.replies.request import Request

RoleName = Literal["REFLEX", "NERVES", "MIND", "VOICE", "EYES"]
"""What a model is asked as: to classify, to compress, to plan and judge, to answer, to look."""
EngineName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{0,32}$(?!\n)")]
"""INFERENCE_NAME of the workers to ask; empty: of those without a name."""


class Message(msgspec.Struct, frozen=True):
    """One message of a chat, as every model server takes it."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: list[str] = []
    """As data: URLs; only an engine that can see takes them."""


class Passage(Origin, frozen=True, kw_only=True):
    """A piece of memory that was put before the model."""

    score: Score
    similarity: float
    input: str
    """What a user said; of an imported message and of a memory, its text."""
    output: str = ""
    quoted: bool = False
    outdated: list[str] = []
    """Words of it that hold no more."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Two of the same kind and session with one id are the same."""
        return self.kind, self.session_id, self.id


class Generated(msgspec.Struct, frozen=True, kw_only=True, tag="generated"):
    """The end of a generation. `sources` is None where the engine cannot say which passages it used."""

    text: str
    model: str
    finish_reason: Literal["stop", "length", "abort"]
    usage: Usage
    next_index: int
    """The first index on the turn's stream that is still free."""
    first_token_seconds: float
    seconds: float
    queue_seconds: float = 0.0
    """Of the time to the first token, what it waited for others; 0 where the engine cannot tell."""
    pieces: list[int] = []
    """Characters of each delta that was sent, in order: with `text`, the very events again."""
    sources: list[Source] | None = None
    quoted: bool = False


class StillGenerating(msgspec.Struct, frozen=True, kw_only=True, tag="still_generating"):
    """A sign of life while a generation runs, so that a dead worker is noticed within seconds."""

    output_tokens: int


class Generate(Request[Generated], frozen=True, kw_only=True):
    """orchestrator -> inference: answer, and stream the deltas to `stream_to` from `first_index` on.

    Where `engine` names one of several, only its workers hear the question. The reply inbox gets
    `StillGenerating` every few seconds and `Generated` last.
    """

    subject: ClassVar[str] = "inference.generate"

    request_id: str
    engine: EngineName = ""
    role: RoleName = "VOICE"
    phase: str = ""
    """Of the turn, for the figures."""
    messages: list[Message]
    passages: list[Passage] = []
    question: str = ""
    """The user's bare input, for the engine that reads passages instead of a prompt."""
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    """Whether a model that can think first does; None: as it is set up."""
    schema: dict[str, Any] | None = None
    """JSON Schema that the answer follows, by the engine's guided output."""
    stream_to: str | None = None
    """None: nobody reads along."""
    first_index: int = 0
    attempt: int = 1
    """Goes into each delta."""

    def address(self) -> str:
        return of_engine(self.subject, self.engine)


class TokenCounts(msgspec.Struct, frozen=True, kw_only=True):
    counts: list[int]
    """Of each text."""
    exact: bool
    """By the model's own tokenizer; else 4 characters a token."""


class CountTokens(Request[TokenCounts], frozen=True, kw_only=True):
    """orchestrator -> inference: how many tokens these texts are."""

    subject: ClassVar[str] = "inference.tokens"

    texts: list[str]
    engine: EngineName = ""
    model: str | None = None

    def address(self) -> str:
        return of_engine(self.subject, self.engine)


class Abort(msgspec.Struct, frozen=True, kw_only=True):
    """anyone -> every inference worker: stop this generation, if it is yours.

    Sent as a request, the worker that had it answers `Aborted` once nothing more of it will be streamed.
    """

    subject: ClassVar[str] = "inference.abort"

    request_id: str


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """inference -> whoever asked: the generation has ended, and its last delta is sent."""

    request_id: str


class ModelsReply(msgspec.Struct, frozen=True, kw_only=True):
    engine: str
    models: list[str]
    context_tokens: int
    running: int
    waiting: int


class Models(Request[ModelsReply], frozen=True, kw_only=True):
    """anyone -> inference: which engine answers, with which models."""

    subject: ClassVar[str] = "inference.models"

    engine: EngineName = ""

    def address(self) -> str:
        return of_engine(self.subject, self.engine)


def of_engine(subject: str, name: str) -> str:
    """`inference.generate.small`: where only the workers of that name listen."""
    return f"{subject}.{name}" if name else subject
