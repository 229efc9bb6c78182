"""The engine without a generative model. What it says is decided in `domain/extractive.py`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from services.inference.domain.extractive import find_answer, split_words
from services.inference.domain.tokens import estimate_all
from services.inference.ports import Delta, Finished
from shared.errors import Refused
from shared.events import Usage
from shared.replies import Generate, Passage, TokenCounts

WORDS_A_DELTA: Final = 4


class ExtractiveEngine:
    """Quotes the passages of a request; a token is a word between spaces."""

    name = "extractive"
    context_tokens = 8192
    """It could read more; the bound keeps a request as small as a model would have it."""
    waiting = 0

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        self._refuse_another(request.model)
        _refuse_what_it_cannot(request)
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

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        self._refuse_another(model)
        return TokenCounts(counts=estimate_all(texts), exact=False)

    def _refuse_another(self, model: str | None) -> None:
        if model not in {None, self.name}:
            raise Refused(404, f"there is no model {model!r}; this worker answers as {self.name}", "model")

    async def models(self) -> list[str]:
        return [self.name]

    async def check(self) -> None:
        """Always ready: it needs nothing outside this process."""


def _refuse_what_it_cannot(request: Generate) -> None:
    if request.schema is not None:
        raise Refused(
            422, "extractive writes no JSON; set INFERENCE_ENGINE to vllm, openai or scripted", "schema"
        )
    if any(message.images for message in request.messages):
        raise Refused(
            422,
            "extractive cannot see; images take INFERENCE_ENGINE=vllm or openai and a model that can",
            "messages",
        )


def _words_read(question: str, passages: Sequence[Passage]) -> int:
    texts = [question, *(text for passage in passages for text in (passage.input, passage.output))]
    return sum(len(text.split()) for text in texts)
