"""Answers `inference.*`: runs generations, streams their text to the turn, aborts them on request."""

import asyncio
import logging
import re
from contextlib import aclosing
from time import perf_counter
from typing import Final, assert_never

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.inference.domain.coalesce import Coalescer
from services.inference.ports import Delta, Engine, Finished
from shared import metrics
from shared.endpoints import Endpoint, Send
from shared.errors import Poison, Refused, Transient
from shared.events import OutputDelta, Usage, decode, encode
from shared.replies import (
    Abort,
    Aborted,
    CountTokens,
    Generate,
    Generated,
    Models,
    ModelsReply,
    StillGenerating,
    TokenCounts,
    of_engine,
)

log = logging.getLogger(__name__)

_A_SUBJECT = re.compile(r"[A-Za-z0-9_][^\s*>]*")
"""No wildcard, and none of the server's own subjects, which begin with a dollar sign."""
_AN_IMAGE: Final = "data:image/"
"""Nothing else: a server that fetched an address would go wherever a user sends it."""
_OVERTAKEN_SECONDS: Final = 0.2


class Generations:
    """The generations under way in this process, by request id."""

    def __init__(
        self, engine: Engine, connection: Client, *, delta_interval: float, sign_of_life_seconds: float
    ) -> None:
        self._engine = engine
        self._connection = connection
        self._delta_interval = delta_interval
        self._sign_of_life_seconds = sign_of_life_seconds
        self._running: dict[str, _Generation] = {}
        self._confirming: set[asyncio.Task[None]] = set()
        metrics.engine_running.set_function(lambda: len(self._running) - self._waiting())
        metrics.engine_waiting.set_function(self._waiting)

    def endpoints(self, name: str = "") -> list[Endpoint]:
        """`name`: of the engine, where it has one; then it is asked by its name alone."""
        return [
            Endpoint(kind=Generate, handle=self.generate, at=of_engine(Generate.subject, name)),
            Endpoint(kind=CountTokens, handle=self.count_tokens, at=of_engine(CountTokens.subject, name)),
            Endpoint(kind=Models, handle=self.models, at=of_engine(Models.subject, name)),
        ]

    async def generate(self, request: Generate, send: Send) -> Generated:
        """Raises Refused and Transient as the engine does, and Refused (409) for what runs already."""
        _refuse_what_cannot_work(request)
        if request.request_id in self._running:
            raise Refused(409, f"request {request.request_id} is being answered already", "request_id")
        generation = _Generation(self._engine, request, self._connection, self._delta_interval)
        self._running[request.request_id] = generation
        try:
            return await generation.run(send, self._sign_of_life_seconds)
        finally:
            del self._running[request.request_id]
            generation.ended.set()

    async def count_tokens(self, request: CountTokens, send: Send) -> TokenCounts:
        return await self._engine.count_tokens(request.texts, request.model)

    async def models(self, request: Models, send: Send) -> ModelsReply:
        return ModelsReply(
            engine=self._engine.name,
            models=await self._engine.models(),
            context_tokens=self._engine.context_tokens,
            running=len(self._running) - self._waiting(),
            waiting=self._waiting(),
        )

    async def on_abort(self, message: Msg) -> None:
        """Every worker hears every abort; the one that runs the generation ends it, and then says so."""
        try:
            request_id = decode(Abort, message.data).request_id
        except Poison as error:
            log.warning("ignored: %s", error)
            return
        task = asyncio.create_task(self._abort(request_id, message))
        self._confirming.add(task)
        task.add_done_callback(self._confirming.discard)

    async def _abort(self, request_id: str, message: Msg) -> None:
        if request_id not in self._running:
            # Two subscriptions: an abort sent right behind its request can be handed over first.
            await asyncio.sleep(_OVERTAKEN_SECONDS)
        generation = self._running.get(request_id)
        if generation is None:
            return
        generation.abort()
        await generation.ended.wait()
        if message.reply:
            await message.respond(encode(Aborted(request_id=request_id)))

    async def stop(self, within: float) -> None:
        """Lets what runs come to its end; whoever asked for the rest is told to ask another worker."""
        readings = [generation.reading for generation in self._running.values()]
        if readings:
            await asyncio.wait(readings, timeout=within)
        for generation in self._running.values():
            generation.give_up("this worker stops")

    def _waiting(self) -> int:
        return min(self._engine.waiting, len(self._running))


class _Generation:
    """One generation: a task reads the engine, this one sends the text on, another says that it lives."""

    def __init__(self, engine: Engine, request: Generate, connection: Client, delta_interval: float) -> None:
        self._engine = engine
        self._request = request
        self._connection = connection
        self._gathered = Coalescer(delta_interval)
        self._news = asyncio.Event()
        self._next_index = request.first_index
        self._text: list[str] = []
        self._pieces: list[int] = []
        self.ended = asyncio.Event()
        self._tokens = 0
        self._started = perf_counter()
        self._first_token_seconds = 0.0
        self._gave_up: str | None = None

    async def run(self, send: Send, sign_of_life_seconds: float) -> Generated:
        self.reading = asyncio.create_task(self._read())
        self.reading.add_done_callback(lambda _: self._news.set())
        living = asyncio.create_task(self._say_alive(send, sign_of_life_seconds))
        reason = "error"
        try:
            await self._send_text()
            answer = await self._answer()
            reason = answer.finish_reason
            return answer
        finally:
            self.reading.cancel()
            living.cancel()
            await asyncio.gather(self.reading, living, return_exceptions=True)
            metrics.engine_seconds.labels(reason, self._request.role).observe(perf_counter() - self._started)

    def abort(self) -> None:
        self.reading.cancel()

    def give_up(self, why: str) -> None:
        self._gave_up = why
        self.reading.cancel()

    async def _read(self) -> Finished:
        async with aclosing(self._engine.generate(self._request)) as parts:
            async for part in parts:
                match part:
                    case Delta():
                        self._take(part)
                    case Finished():
                        return part
                    case _:
                        assert_never(part)
        raise RuntimeError(f"{self._engine.name} ended a generation without Finished")

    def _take(self, delta: Delta) -> None:
        if delta.text and not self._text:
            self._first_token_seconds = perf_counter() - self._started
            metrics.engine_first_token_seconds.labels(self._request.role).observe(self._first_token_seconds)
        self._tokens += delta.tokens
        if delta.text:  # A token can be a part of a character, which comes with a later one.
            self._text.append(delta.text)
            self._gathered.add(delta.text)
            self._news.set()

    async def _send_text(self) -> None:
        """Sends what is read until the reading has ended and all is sent."""
        clock = asyncio.get_running_loop().time
        while self._gathered or not self.reading.done():
            await self._news.wait()
            self._news.clear()
            wait = self._gathered.wait(clock())
            if wait > 0:
                await asyncio.wait((self.reading,), timeout=wait)
            text = self._gathered.take(clock())
            if text and self._request.stream_to is not None:
                delta = OutputDelta(index=self._next_index, attempt=self._request.attempt, text=text)
                self._next_index += 1
                self._pieces.append(len(text))
                try:
                    await self._connection.publish(self._request.stream_to, encode(delta))
                except NatsError as error:  # An outage so long that no more can wait to be sent.
                    raise Transient("NATS takes no text now") from error

    async def _say_alive(self, send: Send, every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await send(StillGenerating(output_tokens=self._tokens))

    async def _answer(self) -> Generated:
        """Called when the reading is over. Raises what ended it; an abort ends it with what there was."""
        if self.reading.cancelled():
            if self._gave_up is not None:
                raise Transient(self._gave_up)
            finished = Finished(
                reason="abort", model=await self._model(), usage=Usage(output_tokens=self._tokens)
            )
        else:
            finished = self.reading.result()
        for direction, tokens in (
            ("input", finished.usage.input_tokens),
            ("output", finished.usage.output_tokens),
            ("cached", finished.usage.cached_tokens),
        ):
            metrics.engine_tokens.labels(direction, self._request.role).inc(tokens)
        return Generated(
            text="".join(self._text),
            model=finished.model,
            finish_reason=finished.reason,
            usage=finished.usage,
            next_index=self._next_index,
            first_token_seconds=self._first_token_seconds,
            seconds=perf_counter() - self._started,
            queue_seconds=finished.queue_seconds,
            pieces=self._pieces,
            sources=finished.sources,
            quoted=finished.quoted,
        )

    async def _model(self) -> str:
        """The model of a generation that did not come to say it."""
        try:
            return self._request.model or (await self._engine.models())[0]
        except Transient:
            return self._engine.name


def _refuse_what_cannot_work(request: Generate) -> None:
    if request.stream_to is not None and not _A_SUBJECT.fullmatch(request.stream_to):
        raise Refused(422, "stream_to is no subject that text can be sent to", "stream_to")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise Refused(422, f"max_tokens is {request.max_tokens}; it must be at least 1", "max_tokens")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise Refused(422, f"temperature is {request.temperature}; it must be from 0 to 2", "temperature")
    if any(not image.startswith(_AN_IMAGE) for message in request.messages for image in message.images):
        raise Refused(422, f"images go as {_AN_IMAGE}... URLs, with their bytes in them", "messages")
