"""An answer straight from the engine: no turn, nothing is stored, and it ends with its client."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal, Protocol, TypeVar

from litestar.types import Receive

from services.gateway.live.sse import HEARTBEAT, EventStream, OpenStreams
from services.gateway.openai.completions import DONE, FAREWELL, event
from services.gateway.openai.counted import CountedGenerations
from services.gateway.openai.errors import error_body
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.ports import Part
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Generate, Generated

W = TypeVar("W", covariant=True)


class Form(Protocol[W]):
    """How an answer is written: as a chat, or as a text that goes on. All but `whole` are events."""

    def whole(self, answer: Generated) -> W: ...

    def begin(self) -> bytes:
        """Empty where nothing comes before the text."""
        ...

    def text(self, text: str) -> bytes: ...

    def end(self, answer: Generated) -> bytes: ...


class RawAnswers:
    def __init__(self, generations: CountedGenerations, streams: OpenStreams) -> None:
        self._generations = generations
        self._streams = streams

    async def whole(self, request: Generate, user: str, form: Form[W]) -> W:
        """Raises Refused and Transient. Cancelled: the engine stops."""
        async with aclosing(self._generations.generate(request, user, streams=False)) as parts:
            async for part in parts:
                if isinstance(part, Generated):
                    return form.whole(part)
        raise Transient("the engine ended without an answer")

    async def stream(self, request: Generate, user: str, form: Form[object], receive: Receive) -> EventStream:
        """Waits for a first sign of the engine. What it refuses at once is raised: Refused, Transient."""
        parts = self._generations.generate(request, user, streams=True)
        first = await unless_left(receive, _first(parts))
        return EventStream(_chunks(form, first, parts), self._streams, farewell=FAREWELL)


def reason_of(answer: Generated) -> Literal["stop", "length", "tool_calls"]:
    """Raises Refused where another process stopped the engine."""
    if answer.finish_reason == "abort":
        raise Refused(500, "the generation was stopped before its end")
    return answer.finish_reason


async def _first(parts: AsyncGenerator[Part, None]) -> Part:
    return await anext(parts)


async def _chunks(
    form: Form[object], first: Part, parts: AsyncGenerator[Part, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(parts):
        if begin := form.begin():
            yield begin
        try:
            yield _shown(form, first)
            async for part in parts:
                yield _shown(form, part)
        except (Refused, Transient) as error:
            status, field = (error.status, error.field) if isinstance(error, Refused) else (503, None)
            yield event(error_body(status, str(error), field))


def _shown(form: Form[object], part: Part) -> bytes:
    match part:
        case None:
            return HEARTBEAT
        case str(text):
            return form.text(text)
        case Generated() as answer:
            return form.end(answer) + DONE
