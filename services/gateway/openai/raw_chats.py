"""A chat completion straight from the engine."""

from time import time

from litestar.types import Receive
from uuid_utils import uuid7

from services.gateway.live.sse import EventStream
from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.completions import Completion, Head
from services.gateway.openai.raw_answers import RawAnswers, reason_of
from services.gateway.openai.raw_request import generation_of
from shared.contract.requests import Generated


class RawChats:
    def __init__(self, answers: RawAnswers) -> None:
        self._answers = answers

    async def completion(self, chat: ChatRequest, user: str, model: str | None) -> Completion:
        """As `RawAnswers.whole`. `model` is the engine's; None: it chooses."""
        request = generation_of(chat, model, f"chat-{uuid7()}")
        return await self._answers.whole(request, user, _ChatForm(chat, request.request_id))

    async def stream(self, chat: ChatRequest, user: str, model: str | None, receive: Receive) -> EventStream:
        """As `RawAnswers.stream`."""
        request = generation_of(chat, model, f"chat-{uuid7()}")
        return await self._answers.stream(request, user, _ChatForm(chat, request.request_id), receive)


class _ChatForm:
    def __init__(self, chat: ChatRequest, request_id: str) -> None:
        self._head = Head(
            id=f"chatcmpl-{request_id}", created=int(time()), model=chat.model, with_usage=chat.wants_usage
        )
        self.begin = self._head.begin
        self.text = self._head.text

    def whole(self, answer: Generated) -> Completion:
        return self._head.completion(answer.text, answer.usage, reason_of(answer), answer.tool_calls)

    def end(self, answer: Generated) -> bytes:
        reason = reason_of(answer)
        return self._head.calls(answer.tool_calls) + self._head.end(answer.usage, reason)
