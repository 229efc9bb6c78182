"""An engine that has no model to wait for: all that is measured with it is the way to and from it."""

import asyncio
import random
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence

from bench.running.sentences import sentence
from services.inference.ports import Delta, Finished
from shared.contract.events import Usage
from shared.contract.requests import Generate, TokenCounts

MODEL = "instant"
TOKENS = 64
WORD = "token "
"""The load client counts these in the raw bytes."""
_TOKENS_A_TURN_OF_THE_LOOP = 16
"""As an engine under load hands them over (services/inference/vllm/sampling.py)."""

Reply = Callable[[str], Sequence[str]]


def same_tokens(question: str) -> Sequence[str]:
    return [WORD] * TOKENS


def short_reply(question: str) -> Sequence[str]:
    """Some twenty words that depend on the question alone, so that the bench knows what will be saved."""
    words = sentence(random.Random(zlib.crc32(question.encode()))).split()[:20]
    return [f"{word} " for word in words]


REPLIES: dict[str, Reply] = {"tokens": same_tokens, "sentence": short_reply}


THOUGHTS = {
    "Analysis": '{"intent":"question"}',
    "Gate": '{"decision":"proceed"}',
    "Plan": '{"calls":[{"id":"a","tool":"clock.now"}],"is_done":true}',
    "Verdict": '{"decision":"approve"}',
}
"""What the phases of a pipeline are told: all eight run, with one call of a tool."""


class InstantEngine:
    """Engine: yields its whole reply at once; the event loop turns now and then, as with a real one."""

    name = "instant"
    context_tokens = 8192
    holds_prefixes = False
    waiting = 0

    def __init__(self, reply: Reply = same_tokens, *, think_seconds: float = 0.0) -> None:
        self._reply = reply
        self._think_seconds = think_seconds

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        if self._think_seconds:
            await asyncio.sleep(self._think_seconds)
        if request.schema is not None:
            yield Delta(THOUGHTS[request.schema["title"]], 1)
            yield Finished(reason="stop", model=MODEL, usage=Usage(input_tokens=1, output_tokens=1))
            return
        tokens = self._reply(request.question or _question_in(request))
        for number, token in enumerate(tokens, start=1):
            yield Delta(token, 1)
            if number % _TOKENS_A_TURN_OF_THE_LOOP == 0:
                await asyncio.sleep(0)
        yield Finished(reason="stop", model=MODEL, usage=Usage(input_tokens=1, output_tokens=len(tokens)))

    async def models(self) -> list[str]:
        return [MODEL]

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        return TokenCounts(counts=[len(text.split()) for text in texts], exact=True)

    async def check(self) -> None:
        """It is always there."""


def _question_in(request: Generate) -> str:
    """The user's words come last in the prompt (services/orchestrator/prompts/answer.py)."""
    return request.messages[-1].content.rsplit("\n\n", 1)[-1]
