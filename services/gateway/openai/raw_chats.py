"""A chat completion straight from the engine: no turn, nothing is stored, and it ends with its client."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import time

from litestar.types import Receive
from uuid_utils import uuid7

from services.gateway.live.sse import HEARTBEAT, EventStream, OpenStreams
from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.completions import DONE, FAREWELL, Completion, FinishReason, Head, event
from services.gateway.openai.errors import error_body
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.ports import Generations, Part
from services.gateway.openai.raw_request import generation_of
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Generated


class RawChats:
    def __init__(self, generations: Generations, streams: OpenStreams) -> None:
        self._generations = generations
        self._streams = streams

    async def completion(self, chat: ChatRequest) -> Completion:
        """Raises Refused and Transient. Cancelled: the engine stops."""
        request = generation_of(chat, f"chat-{uuid7()}")
        async with aclosing(self._generations.generate(request, streams=False)) as parts:
            async for part in parts:
                if isinstance(part, Generated):
                    head = _head(chat, request.request_id)
                    return head.completion(part.text, part.usage, _reason(part), part.tool_calls)
        raise Transient("the engine ended without an answer")

    async def stream(self, chat: ChatRequest, receive: Receive) -> EventStream:
        """Waits for a first sign of the engine. What it refuses at once is raised: Refused, Transient."""
        request = generation_of(chat, f"chat-{uuid7()}")
        parts = self._generations.generate(request, streams=True)
        first = await unless_left(receive, _first(parts))
        chunks = _chunks(_head(chat, request.request_id), first, parts)
        return EventStream(chunks, self._streams, farewell=FAREWELL)


async def _first(parts: AsyncGenerator[Part, None]) -> Part:
    return await anext(parts)


async def _chunks(head: Head, first: Part, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(parts):
        yield head.begin()
        try:
            yield _shown(head, first)
            async for part in parts:
                yield _shown(head, part)
        except (Refused, Transient) as error:
            status, field = (error.status, error.field) if isinstance(error, Refused) else (503, None)
            yield event(error_body(status, str(error), field))


def _shown(head: Head, part: Part) -> bytes:
    match part:
        case None:
            return HEARTBEAT
        case str(text):
            return head.text(text)
        case Generated() as answer:
            reason = _reason(answer)
            return head.calls(answer.tool_calls) + head.end(answer.usage, reason) + DONE


def _head(chat: ChatRequest, request_id: str) -> Head:
    return Head(
        id=f"chatcmpl-{request_id}", created=int(time()), model=chat.model, with_usage=chat.wants_usage
    )


def _reason(answer: Generated) -> FinishReason:
    """Raises Refused where another process stopped the engine."""
    if answer.finish_reason == "abort":
        raise Refused(500, "the generation was stopped before its end")
    return answer.finish_reason
