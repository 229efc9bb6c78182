"""Answers `inference.*` on the bus: runs generations, counts tokens, and aborts generations on request."""

import asyncio
import contextlib
import logging
from typing import Final

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from uuid_utils import uuid7

from services.inference.generation.limits import check
from services.inference.generation.streaming import StreamedGeneration
from services.inference.ports import Engine
from shared.bus.endpoints import Endpoint, Send, endpoint, endpoint_of, endpoints_of
from shared.contract.errors import Poison, Refused, Transient
from shared.contract.events import decode, encode
from shared.contract.requests import (
    ENGINE_NEEDED,
    REFLECTING,
    Abort,
    Aborted,
    CountTokens,
    Generate,
    Generated,
    GenerateHere,
    HasRoom,
    Models,
    ModelsReply,
    PrefixHeld,
    Room,
    StillGenerating,
    TokenCounts,
)
from shared.process import metrics

log = logging.getLogger(__name__)
_SECOND_LOOK_SECONDS: Final = 0.2


class Generations:
    """The generations that run in this process, by request id."""

    def __init__(
        self,
        engine: Engine,
        connection: Client,
        *,
        name: str = "",
        busy_from: int = 8,
        delta_interval: float,
        sign_of_life_seconds: float,
    ) -> None:
        """`name`: only requests to an engine of that name are answered. `busy_from`: BUSY_GENERATIONS."""
        self.worker = f"{uuid7()}"
        """The id of this worker, which it draws anew at each start."""
        self._name = name
        self._busy_from = busy_from
        self._is_stopping = False
        self._engine = engine
        self._connection = connection
        self._delta_interval = delta_interval
        self._sign_of_life_seconds = sign_of_life_seconds
        self._running: dict[str, StreamedGeneration] = {}
        self._aborts: set[asyncio.Task[None]] = set()
        metrics.engine_running.set_function(lambda: len(self._running) - self._waiting())
        metrics.engine_waiting.set_function(self._waiting)

    def endpoints(self) -> list[Endpoint]:
        """What any worker of the name may answer."""
        return [
            msgspec.structs.replace(one, at=one.request.address_at(self._name)) for one in endpoints_of(self)
        ]

    def own_endpoints(self) -> list[Endpoint]:
        """What this worker alone answers: for sessions whose prefix its engine holds."""
        return [
            endpoint_of(self.has_room, at=HasRoom.address_at(self.worker)),
            endpoint_of(self.generate_here, at=GenerateHere.address_at(self.worker)),
        ]

    @endpoint
    async def generate(self, request: Generate, send: Send[StillGenerating]) -> Generated:
        """Raises Refused and Transient as the engine does, and Refused (409) for a request that runs
        already."""
        check(request)
        if request.request_id in self._running:
            raise Refused(409, f"request {request.request_id} is being answered already", "request_id")
        self._make_way(request)
        generation = StreamedGeneration(self._engine, request, self._connection, self._delta_interval)
        self._running[request.request_id] = generation
        try:
            answer = await generation.run(send, self._sign_of_life_seconds)
        finally:
            del self._running[request.request_id]
            generation.ended.set()
        await self._tell_of_prefix(request)
        return answer

    async def has_room(self, request: HasRoom) -> Room:
        for_turns = sum(one.phase != REFLECTING for one in self._running.values())
        is_busy = for_turns >= self._busy_from or self._engine.waiting > 0
        return Room(free=not is_busy and not self._is_stopping)

    async def generate_here(self, request: GenerateHere, send: Send[StillGenerating]) -> Generated:
        """As `generate`. A busy worker does not refuse it: the asking process has asked before."""
        return await self.generate(request.request, send)

    @endpoint
    async def count_tokens(self, request: CountTokens) -> TokenCounts:
        return await self._engine.count_tokens(request.texts, request.model)

    @endpoint
    async def models(self, request: Models) -> ModelsReply:
        return ModelsReply(
            engine=self._engine.name,
            models=await self._engine.models(),
            context_tokens=self._engine.context_tokens,
            running=len(self._running) - self._waiting(),
            waiting=self._waiting(),
        )

    async def on_abort(self, message: Msg) -> None:
        """Every worker receives every abort. The worker that runs the generation ends it and then replies."""
        try:
            request_id = decode(Abort, message.data).request_id
        except Poison as error:
            log.warning("ignored an abort that cannot be read: %s", error)
            return
        task = asyncio.create_task(self._abort(request_id, message))
        self._aborts.add(task)
        task.add_done_callback(self._aborts.discard)

    async def _abort(self, request_id: str, message: Msg) -> None:
        if request_id not in self._running:
            # Aborts have a subscription of their own: one can arrive before the request that it is for.
            await asyncio.sleep(_SECOND_LOOK_SECONDS)
        generation = self._running.get(request_id)
        if generation is None:
            return
        generation.abort()
        await generation.ended.wait()
        if message.reply:
            await message.respond(encode(Aborted(request_id=request_id)))

    async def stop(self, within: float) -> None:
        """Waits `within` seconds for running generations. What still runs then fails as Transient.

        The asking process sends it to another worker.
        """
        self._is_stopping = True
        readings = [generation.reading for generation in self._running.values()]
        if readings:
            await asyncio.wait(readings, timeout=within)
        for generation in self._running.values():
            generation.give_up(Transient("this worker stops"))

    async def _tell_of_prefix(self, request: Generate) -> None:
        """Answers have the session's history in their prompt. Other prompts of a session share little."""
        if request.role != "VOICE" or not self._engine.holds_prefixes:
            return
        held = PrefixHeld(worker=self.worker, engine=self._name, request_id=request.request_id)
        with contextlib.suppress(nats.errors.Error):  # Without it the next turn asks any worker.
            await self._connection.publish(PrefixHeld.subject, encode(held))

    def _make_way(self, request: Generate) -> None:
        """What no user waits for ends where a turn comes, and does not begin while there is one."""
        others = list(self._running.values())
        if request.phase != REFLECTING:
            for other in others:
                if other.phase == REFLECTING:
                    other.give_up(Refused(ENGINE_NEEDED, "a turn needs the engine; ask again later"))
        elif any(other.phase != REFLECTING for other in others):
            raise Refused(ENGINE_NEEDED, "turns need the engine; ask again later")

    def _waiting(self) -> int:
        return min(self._engine.waiting, len(self._running))
