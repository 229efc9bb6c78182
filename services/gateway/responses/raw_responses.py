"""A response straight from the engine: no turn, nothing is stored, and it ends with its client."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import time
from typing import Final

from litestar.types import Receive
from uuid_utils import uuid7

from services.gateway.live.sse import EventStream, OpenStreams
from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.counted import CountedGenerations
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.ports import Part
from services.gateway.openai.raw_request import generation_of
from services.gateway.responses.events import Lifecycle, ResponseEvent, ResponseEvents
from services.gateway.responses.following import as_bytes
from services.gateway.responses.objects import Head, Response, echo_of
from services.gateway.responses.request import ResponseRequest, all_messages, response_format
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Generate, Generated

_FAREWELL: Final = b": this gateway stops; send the same request again in a moment\n\n"
_UNSTORED: Final = "a model of the engine answers without storing anything; pandora and its recipes store"


class RawResponses:
    def __init__(self, generations: CountedGenerations, streams: OpenStreams) -> None:
        self._generations = generations
        self._streams = streams

    async def response(self, request: ResponseRequest, user: str, model: str | None) -> Response:
        """`model` is the engine's; None: it chooses. Cancelled: the engine stops.

        Raises Refused and Transient.
        """
        generation, events = _begin(request, model)
        async with aclosing(self._generations.generate(generation, user, streams=False)) as parts:
            async for part in parts:
                for made in _made(events, part):
                    if isinstance(made, Lifecycle) and events.has_ended:
                        return made.response
        raise Transient("the engine ended without an answer")

    async def stream(
        self, request: ResponseRequest, user: str, model: str | None, receive: Receive
    ) -> EventStream:
        """Waits for a first sign of the engine. What it refuses at once is raised: Refused, Transient."""
        generation, events = _begin(request, model)
        parts = self._generations.generate(generation, user, streams=True)
        first = await unless_left(receive, _first(parts))
        return EventStream(as_bytes(_events(events, first, parts)), self._streams, farewell=_FAREWELL)


def _begin(request: ResponseRequest, model: str | None) -> tuple[Generate, ResponseEvents]:
    """Raises Refused for what cannot be without a turn."""
    for asked, field in (
        (request.store, "store"),
        (request.background, "background"),
        (request.previous_response_id, "previous_response_id"),
        (request.conversation, "conversation"),
    ):
        if asked:
            raise Refused(422, f"{field} is not taken by {request.model}: {_UNSTORED}", field)
    drawn = str(uuid7())
    head = Head(
        turn_id=drawn,
        created_at=int(time()),
        echo=echo_of(request, is_stored=False),
        metadata=request.metadata or {},
    )
    return _generation_of(request, model, drawn), ResponseEvents(head)


def _generation_of(request: ResponseRequest, model: str | None, drawn: str) -> Generate:
    chat = ChatRequest(
        model=request.model,
        messages=all_messages(request),
        temperature=request.temperature,
        top_p=request.top_p,
        max_completion_tokens=request.max_output_tokens,
        response_format=response_format(request.text),
    )
    return generation_of(chat, model, f"response-{drawn}")


async def _first(parts: AsyncGenerator[Part, None]) -> Part:
    return await anext(parts)


async def _events(
    events: ResponseEvents, first: Part, parts: AsyncGenerator[Part, None]
) -> AsyncGenerator[list[ResponseEvent], None]:
    async with aclosing(parts):
        yield events.begin()
        try:
            yield list(_made(events, first))
            async for part in parts:
                yield list(_made(events, part))
        except (Refused, Transient) as error:
            yield [events.error(None, str(error))]


def _made(events: ResponseEvents, part: Part) -> Sequence[ResponseEvent]:
    """Raises Refused where another process stopped the engine."""
    match part:
        case None:
            return []
        case str(text):
            return events.say(text)
        case Generated(finish_reason="length") as answer:
            return events.cut_off(answer.text, answer.usage)
        case Generated(finish_reason="abort"):
            raise Refused(500, "the generation was stopped before its end")
        case Generated() as answer:
            return events.completed(answer.text, answer.usage)
