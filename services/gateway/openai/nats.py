"""Chats over a key-value bucket, and the engine over the bus."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import nats.errors
from nats.aio.msg import Msg

from services.gateway.openai.ports import Chat, KnownChat, Part
from shared.bus.buckets import Bucket, Conflict, key_from
from shared.bus.connection import Bus
from shared.bus.streams import CHATS
from shared.contract.errors import Poison, Refused, Transient
from shared.contract.events import OutputDelta, decode, decode_live, encode
from shared.contract.requests import Abort, Generate, Generated, StillGenerating

_SILENCE_SECONDS = 8.0
"""The longest wait for a sign of life from the engine."""
_Arrived = OutputDelta | StillGenerating | Generated | Refused | Transient


class BusChats:
    """All gateways see them, and they outlive restarts for 30 days."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Bucket(bus, CHATS)

    async def find(self, user: str, messages_hash: str) -> KnownChat | None:
        entry = await self._keys.get(key_from(user, messages_hash))
        return None if entry is None else KnownChat(decode(Chat, entry.value), entry.revision)

    async def write(self, messages_hash: str, known: KnownChat) -> int | None:
        key = key_from(known.chat.user, messages_hash)
        try:
            return await self._keys.put(key, encode(known.chat), revision=known.revision)
        except Conflict:
            return None


class BusGenerations:
    """Any inference worker. Deltas may be lost or come late: the end brings what is missing."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def generate(self, request: Generate, *, streams: bool) -> AsyncGenerator[Part, None]:
        arrived = asyncio.Queue[_Arrived]()
        async with self._subject_of(arrived, streams) as subject:
            asked = msgspec.structs.replace(request, stream_to=subject)
            following = asyncio.create_task(self._follow(asked, arrived))
            try:
                async with aclosing(_parts(arrived)) as parts:
                    async for part in parts:
                        yield part
            finally:
                if not following.done():
                    following.cancel()
                    with contextlib.suppress(Transient):
                        await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))

    @contextlib.asynccontextmanager
    async def _subject_of(
        self, arrived: "asyncio.Queue[_Arrived]", streams: bool
    ) -> AsyncGenerator[str | None, None]:
        """A subject of this generation alone, whose deltas go to the queue."""
        if not streams:
            yield None
            return

        async def take(message: Msg) -> None:
            with contextlib.suppress(Poison):
                if isinstance(delta := decode_live(message.data), OutputDelta):
                    arrived.put_nowait(delta)

        subject: str = self._bus.connection.new_inbox()
        subscription = await self._bus.connection.subscribe(subject, cb=take)
        try:
            yield subject
        finally:
            if not self._bus.connection.is_closed:
                with contextlib.suppress(nats.errors.Error):  # Draining: it ends with the connection.
                    await subscription.unsubscribe()

    async def _follow(self, request: Generate, arrived: "asyncio.Queue[_Arrived]") -> None:
        answers = self._bus.ask_and_follow(request, StillGenerating, silence_seconds=_SILENCE_SECONDS)
        try:
            async with aclosing(answers):
                async for answer in answers:
                    arrived.put_nowait(answer)
        except (Refused, Transient) as error:
            arrived.put_nowait(error)


async def _parts(arrived: "asyncio.Queue[_Arrived]") -> AsyncGenerator[Part, None]:
    sent, next_index = "", 0
    while True:
        match await arrived.get():
            case OutputDelta(index=index, text=text):
                if index == next_index:  # After a gap no text follows until the end.
                    sent, next_index = sent + text, index + 1
                    yield text
            case StillGenerating():
                yield None
            case Generated() as answer:
                if not answer.text.startswith(sent):
                    raise Refused(500, "the engine's answer is another one than what it streamed")
                if rest := answer.text[len(sent) :]:
                    yield rest
                yield answer
                return
            case Refused() | Transient() as error:
                raise error
