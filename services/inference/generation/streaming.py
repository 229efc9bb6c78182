"""One generation: reads the engine, and streams the text straight to the turn's subject."""

import asyncio
from contextlib import aclosing
from time import perf_counter
from typing import assert_never

from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.inference.generation.coalescing import Coalescer
from services.inference.ports import Delta, Engine, Finished
from services.inference.text.visible import is_visible
from shared.bus.endpoints import Send
from shared.contract.errors import Refused, Transient
from shared.contract.events import OutputDelta, Usage, encode
from shared.contract.requests import Generate, Generated, StillGenerating
from shared.process import metrics


class StreamedGeneration:
    """Three tasks: one reads the engine, the caller's sends the text, one sends signs of life."""

    def __init__(self, engine: Engine, request: Generate, connection: Client, delta_interval: float) -> None:
        self._engine = engine
        self._request = request
        self._connection = connection
        self._unsent = Coalescer(delta_interval)
        self._news = asyncio.Event()
        self._next_index = request.first_index
        self._text: list[str] = []
        self._pieces: list[int] = []
        self.ended = asyncio.Event()
        self._tokens = 0
        self._started = perf_counter()
        self._first_token_seconds = 0.0
        self._gave_up: Exception | None = None

    @property
    def phase(self) -> str:
        return self._request.phase

    async def run(self, send: Send[StillGenerating], sign_of_life_seconds: float) -> Generated:
        """Raises what the engine raised, and after `give_up` its error. After `abort` the answer is
        partial."""
        self.reading = asyncio.create_task(self._read())
        self.reading.add_done_callback(lambda _: self._news.set())
        living = asyncio.create_task(self._send_signs_of_life(send, sign_of_life_seconds))
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

    def give_up(self, error: Exception) -> None:
        """`run` raises the error."""
        self._gave_up = error
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
        if delta.text:  # A token can be a part of a character, which comes with a later token.
            self._text.append(delta.text)
            self._unsent.add(delta.text)
            self._news.set()

    async def _send_text(self) -> None:
        """Returns when the engine has ended and all its text is sent."""
        clock = asyncio.get_running_loop().time
        while self._unsent or not self.reading.done():
            await self._news.wait()
            self._news.clear()
            wait = self._unsent.wait(clock())
            if wait > 0:
                await asyncio.wait((self.reading,), timeout=wait)
            text = self._unsent.take(clock())
            if text and self._request.stream_to is not None:
                await self._publish(text, self._request.stream_to)

    async def _publish(self, text: str, subject: str) -> None:
        delta = OutputDelta(index=self._next_index, attempt=self._request.attempt, text=text)
        self._next_index += 1
        self._pieces.append(len(text))
        try:
            await self._connection.publish(subject, encode(delta))
        except NatsError as error:  # NATS was away for so long that the client's buffer is full.
            raise Transient("NATS takes no text now") from error

    async def _send_signs_of_life(self, send: Send[StillGenerating], every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await send(StillGenerating(output_tokens=self._tokens))

    async def _answer(self) -> Generated:
        """Called when the reading is over. Raises what ended it, and Refused for an answer without a word.

        After an abort, returns the text so far.
        """
        if self.reading.cancelled():
            if self._gave_up is not None:
                raise self._gave_up
            finished = Finished(
                reason="abort", model=await self._model(), usage=Usage(output_tokens=self._tokens)
            )
        else:
            finished = self.reading.result()
        self._count(finished.usage)
        text = "".join(self._text)
        if not (is_visible(text) or finished.tool_calls or self._may_be_empty(finished)):
            raise Refused(502, _why_empty(finished))
        return Generated(
            text=text,
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
            tool_calls=finished.tool_calls,
        )

    def _may_be_empty(self, finished: Finished) -> bool:
        """Nothing needs to follow a text that is to go on, nor to stand before a text that ends an answer."""
        asked = self._request
        return (
            asked.may_be_empty or finished.reason == "abort" or asked.prompt is not None or bool(asked.stop)
        )

    def _count(self, usage: Usage) -> None:
        for direction, tokens in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached", usage.cached_tokens),
        ):
            metrics.engine_tokens.labels(direction, self._request.role).inc(tokens)

    async def _model(self) -> str:
        """The model of a generation that ended before it named one."""
        try:
            return self._request.model or (await self._engine.models())[0]
        except Transient:
            return self._engine.name


def _why_empty(finished: Finished) -> str:
    why = finished.instead_of_text or "it ended without a word"
    limit = " (max_tokens was reached)" if finished.reason == "length" else ""
    return f"{finished.model} gave an empty answer: {why}{limit}"
