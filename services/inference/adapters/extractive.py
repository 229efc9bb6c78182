"""The engine without a generative model. What it says is decided in `domain/extractive.py`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from services.inference.domain.extractive import find_answer, split_words
from services.inference.ports import Delta, Finished
from shared.errors import Refused
from shared.events import Usage
from shared.replies import Generate, Passage

WORDS_A_DELTA: Final = 4


class ExtractiveEngine:
    """Quotes the passages of a request; a token is a word between spaces."""

    name = "extractive"
    context_tokens = 8192
    """It could read more; the bound keeps a request as small as a model would have it."""
    waiting = 0

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        if request.model not in {None, self.name}:
            raise Refused(
                404, f"there is no model {request.model!r}; this worker answers as {self.name}", "model"
            )
        question = request.question or next(
            (message.content for message in reversed(request.messages) if message.role == "user"), ""
        )
        # In a thread: long passages take some 10 us a word, and others wait for the event loop.
        answer = await asyncio.to_thread(find_answer, question, request.passages)
        words = split_words(answer.text)
        said = words if request.max_tokens is None else words[: request.max_tokens]
        for start in range(0, len(said), WORDS_A_DELTA):
            piece = said[start : start + WORDS_A_DELTA]
            yield Delta("".join(piece), len(piece))
            await asyncio.sleep(0)  # Lets each piece leave and an abort arrive, as between a model's tokens.
        yield Finished(
            reason="stop" if len(said) == len(words) else "length",
            model=self.name,
            usage=Usage(input_tokens=_words_read(question, request.passages), output_tokens=len(said)),
            sources=answer.sources,
            quoted=True,
        )

    async def models(self) -> list[str]:
        return [self.name]

    async def check(self) -> None:
        """Always ready: it needs nothing outside this process."""


def _words_read(question: str, passages: Sequence[Passage]) -> int:
    texts = [question, *(text for passage in passages for text in (passage.input, passage.output))]
    return sum(len(text.split()) for text in texts)
