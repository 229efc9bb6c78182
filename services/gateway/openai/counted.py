"""Generations without a turn, whose tokens count towards their user's limit."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from services.gateway.openai.ports import Generations, Part
from shared.contract.requests import Generate, Generated


class CountedGenerations:
    def __init__(self, generations: Generations, note: Callable[[str, int], Awaitable[None]]) -> None:
        """`note`: of a user, so many tokens."""
        self._generations = generations
        self._note = note

    async def generate(self, request: Generate, user: str, *, streams: bool) -> AsyncGenerator[Part, None]:
        """As `Generations.generate`. Of one that is left early the pieces count that came until then."""
        tokens = 0
        async with aclosing(self._generations.generate(request, streams=streams)) as parts:
            try:
                async for part in parts:
                    if isinstance(part, Generated):
                        tokens = part.usage.input_tokens + part.usage.output_tokens
                    elif part:
                        tokens += 1
                    yield part
            finally:
                await self._note(user, tokens)
