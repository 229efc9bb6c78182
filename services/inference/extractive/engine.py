"""The engine without a generative model. `extractive/answer.py` decides what it says."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from services.inference.extractive.answer import find_answer, split_words
from services.inference.ports import Delta, Finished
from services.inference.text.refusals import refuse_prompt, refuse_tools
from services.inference.text.stops import cut_at
from services.inference.text.token_estimate import estimate_all
from shared.contract.errors import Refused
from shared.contract.events import Usage
from shared.contract.requests import Generate, Passage, TokenCounts

WORDS_A_DELTA: Final = 4
_GENERATIVE: Final = "set INFERENCE_ENGINE to vllm, openai or scripted"


class ExtractiveEngine:
    """Quotes the passages of a request. Each word between spaces counts as a token."""

    name = "extractive"
    context_tokens = 8192
    """It could read more. This limit keeps requests as small as a model needs them."""
    holds_prefixes = False
    waiting = 0

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        self._check_model(request.model)
        _check(request)
        question = request.question or next(
            (message.content for message in reversed(request.messages) if message.role == "user"), ""
        )
        # In a thread: long passages take some 10 us a word, and the event loop has other work.
        answer = await asyncio.to_thread(find_answer, question, request.passages)
        words = split_words(cut_at(request.stop, answer.text))
        said = words if request.max_tokens is None else words[: request.max_tokens]
        for start in range(0, len(said), WORDS_A_DELTA):
            piece = said[start : start + WORDS_A_DELTA]
            yield Delta("".join(piece), len(piece))
            await asyncio.sleep(0)  # Each piece can be sent and an abort can arrive, as between real tokens.
        yield Finished(
            reason="stop" if len(said) == len(words) else "length",
            model=self.name,
            usage=Usage(input_tokens=_words_read(question, request.passages), output_tokens=len(said)),
            sources=answer.sources,
            quoted=True,
        )

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        self._check_model(model)
        return TokenCounts(counts=estimate_all(texts), exact=False)

    def _check_model(self, model: str | None) -> None:
        if model not in {None, self.name}:
            raise Refused(404, f"there is no model {model!r}; this worker answers as {self.name}", "model")

    async def models(self) -> list[str]:
        return [self.name]

    async def check(self) -> None:
        """Always ready: it needs nothing outside of this process."""


def _check(request: Generate) -> None:
    """Raises Refused for a request that needs a generative model."""
    refuse_prompt(request, f"extractive goes on with no text, it answers questions; {_GENERATIVE}")
    refuse_tools(request, "extractive calls no tools; set INFERENCE_ENGINE to openai or scripted")
    if request.schema is not None:
        raise Refused(422, f"extractive writes no JSON; {_GENERATIVE}", "schema")
    if any(message.images for message in request.messages):
        raise Refused(
            422,
            "extractive cannot see; images take INFERENCE_ENGINE=vllm or openai and a model that can",
            "messages",
        )


def _words_read(question: str, passages: Sequence[Passage]) -> int:
    texts = [question, *(text for passage in passages for text in (passage.input, passage.output))]
    return sum(len(text.split()) for text in texts)
