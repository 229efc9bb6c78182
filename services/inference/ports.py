"""What the inference service needs of an engine."""

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

import msgspec

from shared.events import Source, Usage
from shared.replies import Generate, TokenCounts


class Delta(msgspec.Struct, frozen=True):
    """Some new text of an answer and the number of tokens in it."""

    text: str
    tokens: int


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The last thing that a generation yields."""

    reason: Literal["stop", "length", "abort"]
    model: str
    """The model that answered."""
    usage: Usage
    queue_seconds: float = 0.0
    """How long it waited for other generations; 0 where the engine cannot tell."""
    sources: list[Source] | None = None
    """The passages that were used, or None where the engine cannot tell."""
    quoted: bool = False
    """True when the answer only repeats its sources."""


class Engine(Protocol):
    """Answers chats, many at a time. Closing the generator ends the generation at once."""

    name: str
    context_tokens: int
    waiting: int
    """Generations that it has taken and not begun; 0 where it cannot tell."""

    def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        """Yields deltas, then one Finished. What it cannot honour (a schema, an image) it refuses.

        Raises Refused for a request that can never work (4xx: unknown model, prompt too long) or that broke
        off after some text (5xx), and Transient where the model server is away and nothing was yielded yet.
        """
        ...

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        """Of each text by itself. Raises Refused for an unknown model, and Transient as `generate` does."""
        ...

    async def models(self) -> list[str]:
        """The model names it answers to; the first is the default."""
        ...

    async def check(self) -> None:
        """Raises Transient while no generation can start."""
        ...
