"""What the inference service needs of an engine."""

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

import msgspec

from shared.contract.events import Source, Usage
from shared.contract.requests import Generate, TokenCounts, ToolCall


class Delta(msgspec.Struct, frozen=True):
    """New text of an answer, and its number of tokens."""

    text: str
    tokens: int


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The last thing that a generation yields."""

    reason: Literal["stop", "length", "abort", "tool_calls"]
    model: str
    """The model that answered."""
    usage: Usage
    queue_seconds: float = 0.0
    """How long it waited for other generations; 0 where the engine cannot tell."""
    sources: list[Source] | None = None
    """The passages that were used; None where the engine cannot tell."""
    quoted: bool = False
    """True where the answer only repeats its sources."""
    instead_of_text: str = ""
    """What an answer without text has instead of it, in words; empty where the engine cannot tell."""
    tool_calls: list[ToolCall] = []
    """Of the tools that the request offers."""


class Engine(Protocol):
    """Answers chats, many at the same time. Closing the generator ends the generation at once."""

    name: str
    holds_prefixes: bool
    """Another prompt that begins as this one did is answered sooner here than by another worker."""

    @property
    def context_tokens(self) -> int:
        """Of the longest prompt with its answer."""
        ...

    @property
    def waiting(self) -> int:
        """Accepted generations that have not begun; 0 where the engine cannot tell."""
        ...

    def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        """Yields deltas, then one Finished. Refuses whatever of the request it cannot use: a schema, tools.

        An engine that samples nothing has no use for `top_p`, `seed` and the penalties, and takes them.

        Raises Refused (4xx) for a request that can never work: unknown model, prompt too long. Raises Refused
        (5xx) where the answer broke off after some text. Raises Transient where the model server is away and
        nothing was yielded yet.
        """
        ...

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        """Counts each text by itself. Raises Refused for an unknown model, and Transient as `generate`
        does."""
        ...

    async def models(self) -> list[str]:
        """The names of its models; the first is the default."""
        ...

    async def check(self) -> None:
        """Raises Transient while no generation can start."""
        ...
