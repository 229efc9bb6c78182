"""Models: asked, counted, aborted. The inference workers answer.

The workers of a named engine ([inference.md](inference.md#named-engines)) listen on
`inference.generate.<name>`, `inference.tokens.<name>` and `inference.models.<name>` instead.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

from shared.contract.events import Origin, Score, Source, Usage
from shared.contract.requests.request import Request

REFLECTING: Final = "reflect"
"""The phase of a generation that no user waits for."""
ENGINE_NEEDED: Final = 429
"""The status by which a worker refuses such a generation, or breaks it off, since turns need the engine."""
RoleName = Literal["REFLEX", "NERVES", "MIND", "VOICE", "EYES"]
EngineName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9-]{0,32}$(?!\n)",
        description="INFERENCE_NAME of the workers to ask. Empty: the workers without a name.",
    ),
]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model may call. The process that asks runs it, not the engine."""

    name: str
    """The model calls it by this name."""
    description: str = ""
    """Tells the model what it does, and when to call it."""
    parameters: dict[str, Any] | None = None
    """The JSON Schema of its arguments; null: it has none."""
    strict: bool | None = None
    """Whether the arguments follow the schema to the letter; null: the engine chooses."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """What the model calls a tool with."""

    id: str
    """Names the call to the message that has its result."""
    name: str
    """Of the tool."""
    arguments: str
    """JSON as the model wrote it. It may be cut off or wrong: check it."""


class NamedTool(msgspec.Struct, frozen=True):
    """The one tool that the model has to call."""

    name: str
    """As in `tools`."""


class Message(msgspec.Struct, frozen=True):
    """One message of a chat, as every model server takes it."""

    role: Literal["system", "user", "assistant", "tool"]
    """Who speaks. A tool says its result."""
    content: str
    """What is said."""
    images: list[str] = []
    """As `data:` URLs. Only an engine that can see takes them."""
    tool_calls: list[ToolCall] = []
    """Of an assistant: the calls that it made."""
    tool_call_id: str = ""
    """Of a tool: the call that this is the result of."""


class Passage(Origin, frozen=True, kw_only=True):
    """A piece of memory that is put before the model."""

    score: Score
    """0 to 1. Scores are comparable within one answer only."""
    similarity: float
    """Cosine of the query and the text. 0 where only words found it."""
    input: str
    """What a user said. Of an imported message and of a memory: its text."""
    output: str = ""
    """What was answered."""
    quoted: bool = False
    """True where the output only repeats its sources."""
    outdated: list[str] = []
    """Words of it that are outdated."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Two of the same kind and session with one id are the same."""
        return self.kind, self.session_id, self.id


class Generated(msgspec.Struct, frozen=True, kw_only=True, tag="generated"):
    """The end of a generation."""

    text: str
    """The whole answer."""
    model: str
    """The model that answered."""
    finish_reason: Literal["stop", "length", "abort", "tool_calls"]
    """Why it ended."""
    usage: Usage
    """Tokens, counted by the engine."""
    next_index: int
    """The first index on the turn's stream that is still free."""
    first_token_seconds: float
    """Seconds to the first token."""
    seconds: float
    """Seconds to the end."""
    queue_seconds: float = 0.0
    """The part of the time to the first token in which it waited for others. 0 where the engine cannot
    tell."""
    pieces: list[int] = []
    """Characters of each delta that was sent, in order: with `text`, the very events again."""
    sources: list[Source] | None = None
    """The passages that it used; null where the engine cannot say."""
    quoted: bool = False
    """True where the text only repeats its sources."""
    tool_calls: list[ToolCall] = []
    """The tools that the model calls, of those that were offered. They are not streamed."""


class StillGenerating(msgspec.Struct, frozen=True, kw_only=True, tag="still_generating"):
    """A sign of life while a generation runs, so that a dead worker is noticed within seconds."""

    output_tokens: int
    """Tokens so far."""


class Generate(Request[Generated], frozen=True, kw_only=True):
    """gateway, orchestrator -> inference: answer, and stream deltas to `stream_to`, from `first_index` on."""

    subject: ClassVar[str] = "inference.generate"
    last_part: ClassVar[str] = "engine"
    sign_of_life: ClassVar[type[msgspec.Struct]] = StillGenerating

    request_id: str
    """Names the generation to `inference.abort`. The orchestrator takes `<turn id>:<number>`."""
    engine: EngineName = ""
    role: RoleName = "VOICE"
    """What the model is asked to do: classify (REFLEX), compress (NERVES), plan and judge (MIND), answer
    (VOICE) or look (EYES)."""
    phase: str = ""
    """The phase of the turn, for the figures. `reflect`: no user waits for it. A worker refuses it (429)
    while it answers turns, and breaks it off (429) where one comes."""
    messages: list[Message]
    """The prompt."""
    prompt: str | None = None
    """A text to go on with, letter by letter, in place of `messages`: no chat template is put around it."""
    passages: list[Passage] = []
    """Memory, for an engine that reads passages instead of a prompt."""
    question: str = ""
    """The user's bare input, for the same engine."""
    model: str | None = None
    """The model that shall answer; null: the engine chooses."""
    temperature: float | None = None
    """0 to 2; null: the engine chooses."""
    max_tokens: int | None = None
    """Most tokens of the answer; null: the engine chooses."""
    may_be_empty: bool = False
    """True: an answer without a word is one. False: it is refused (502), but after `prompt` and with
    `stop`."""
    stop: list[str] = []
    """The answer ends before the first of these that it would have."""
    top_p: float | None = None
    """Above 0, at most 1: the share of likely tokens that is chosen from; null: the engine chooses."""
    seed: int | None = None
    """The same request with the same seed gets the same answer, as far as the engine can."""
    frequency_penalty: float | None = None
    """-2 to 2: against words that come often; null: the engine chooses."""
    presence_penalty: float | None = None
    """-2 to 2: against words that came already; null: the engine chooses."""
    thinking: bool | None = None
    """Whether a model that can think first does so; null: as it is set up."""
    schema: dict[str, Any] | None = None
    """The JSON Schema that the answer follows."""
    schema_strict: bool = True
    """False: a server may take the schema as a hint. Some take only a part of JSON Schema strictly."""
    tools: list[Tool] = []
    """What the model may call."""
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    """Whether it has to; null: as `auto`."""
    parallel_tool_calls: bool | None = None
    """False: at most one call an answer; null: the engine chooses."""
    stream_to: str | None = None
    """The subject that the deltas go to; null: no reader reads along."""
    first_index: int = 0
    """The index of the first delta."""
    attempt: int = 1
    """Goes into each delta."""


class PrefixHeld(msgspec.Struct, frozen=True, kw_only=True):
    """inference -> orchestrator: the engine of this worker has just read the prompt of an answer.

    All orchestrators hear it. The session's next turn asks this worker first. Internal: it may change with
    any version.
    """

    subject: ClassVar[str] = "inference.held"

    worker: str
    """The id that the worker drew at its start."""
    engine: EngineName = ""
    request_id: str
    """As in `inference.generate`."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    free: bool
    """False where the worker is busy (`BUSY_GENERATIONS`) or stops."""


class HasRoom(Request[Room], frozen=True, kw_only=True):
    """orchestrator -> inference: has this worker room for one more generation?

    It begins nothing, so that a late answer does no harm. Internal: it may change with any version.
    """

    subject: ClassVar[str] = "inference.room"
    last_part: ClassVar[str] = "worker"

    worker: str
    """The worker that is asked."""


class GenerateHere(Request[Generated], frozen=True, kw_only=True):
    """orchestrator -> inference: `inference.generate` for this worker, which holds the session's prefix.

    Internal: it may change with any version.
    """

    subject: ClassVar[str] = "inference.here"
    last_part: ClassVar[str] = "worker"
    sign_of_life: ClassVar[type[msgspec.Struct]] = StillGenerating

    worker: str
    """The worker that is asked."""
    request: Generate
    """The request as any worker would get it."""


class TokenCounts(msgspec.Struct, frozen=True, kw_only=True):
    counts: list[int]
    """Of each text, in order."""
    exact: bool
    """True where the model's own tokenizer counted. Else a token is 4 characters."""


class CountTokens(Request[TokenCounts], frozen=True, kw_only=True):
    """anyone, orchestrator -> inference: how many tokens are these texts?"""

    subject: ClassVar[str] = "inference.tokens"
    last_part: ClassVar[str] = "engine"

    texts: list[str]
    """What is counted, without a chat template around it."""
    engine: EngineName = ""
    model: str | None = None
    """Whose tokens; null: those of the model that answers by default."""


class Abort(msgspec.Struct, frozen=True, kw_only=True):
    """anyone, orchestrator -> inference: stop this generation, if it is yours.

    Every worker hears it: it is outside of the queue group. Sent as a request, the worker that had the
    generation answers once nothing more of it will be streamed. Where no worker had it, no answer comes.
    """

    subject: ClassVar[str] = "inference.abort"

    request_id: str
    """As in `inference.generate`."""


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """The generation has ended, and its last delta is sent."""

    request_id: str
    """As in `inference.generate`."""


class ModelsReply(msgspec.Struct, frozen=True, kw_only=True):
    engine: str
    """`extractive`, `openai`, `scripted` or `vllm`."""
    models: list[str]
    """The names that `model` may take."""
    context_tokens: int
    """The longest prompt with its answer."""
    running: int
    """Generations under way."""
    waiting: int
    """Generations that wait in the engine."""


class Models(Request[ModelsReply], frozen=True, kw_only=True):
    """anyone, orchestrator -> inference: which engine answers, with which models?"""

    subject: ClassVar[str] = "inference.models"
    last_part: ClassVar[str] = "engine"

    engine: EngineName = ""
