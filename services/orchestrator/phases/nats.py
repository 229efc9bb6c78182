"""Memory and model over the bus."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import aclosing

import nats.errors

from services.orchestrator.phases.last_workers import LastWorkers
from services.orchestrator.phases.ports import StopSignal
from shared.bus.asking import Unanswered
from shared.bus.connection import Bus
from shared.contract.errors import Refused, Transient
from shared.contract.events import encode
from shared.contract.requests import (
    Abort,
    CountTokens,
    Generate,
    Generated,
    GenerateHere,
    HasRoom,
    ListTurns,
    Models,
    ModelsReply,
    Recall,
    Recalled,
    StillGenerating,
    TurnRow,
)

_ABORT_SECONDS = 2.0
_PREFERENCE_SECONDS = 0.05
"""How long a worker that is preferred has to say that it has room."""


class BusMemory:
    """Memory at the indexer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def recall(self, request: Recall) -> Recalled:
        return await self._bus.ask(request)

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        reply = await self._bus.ask(ListTurns(user=user, session_id=session_id, limit=limit))
        return reply.turns[::-1]


class BusModel:
    """Model, and the reflector's Reader, at any inference worker.

    A prompt that continues another one goes to the worker that had that one, where it has room.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        silence_seconds: float,
        workers: LastWorkers | None = None,
        preference_seconds: float = _PREFERENCE_SECONDS,
    ) -> None:
        self._bus = bus
        self._silence = silence_seconds
        self._workers = workers or LastWorkers()
        self._preference = preference_seconds

    async def generate(
        self, request: Generate, stop: StopSignal | None = None, *, continues: Sequence[str] = ()
    ) -> Generated:
        """Without `stop` it goes on to its end."""
        following = asyncio.create_task(self._answer_to(request, continues))
        try:
            if stop is not None:
                await self._until_stopped(request, following, stop)
            return await following
        except asyncio.CancelledError:  # The answer is not waited for any more: the engine must not go on.
            with contextlib.suppress(Transient):
                await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))
            raise
        finally:
            following.cancel()

    async def _until_stopped(
        self, request: Generate, following: asyncio.Task[Generated], stop: StopSignal
    ) -> None:
        """Returns when the engine has answered. Raises Transient where it was told to stop and did not."""
        told = asyncio.create_task(stop.wait())
        try:
            with stop.listened_to():
                await asyncio.wait({following, told}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))
                    await asyncio.wait({following}, timeout=_ABORT_SECONDS)
                if not following.done():
                    raise Transient("the engine did not answer the abort")
        finally:
            told.cancel()

    async def _answer_to(self, request: Generate, continues: Sequence[str]) -> Generated:
        worker = self._preferred(request.engine, continues)
        if worker is not None and await self._has_room(worker):
            with contextlib.suppress(Unanswered):  # It ended a moment ago, and has not read the request.
                return await self._follow(GenerateHere(worker=worker, request=request))
        return await self._follow(request)

    def _preferred(self, engine: str, continues: Sequence[str]) -> str | None:
        return self._workers.of(engine, continues) if self._workers.are_several(engine) else None

    async def _has_room(self, worker: str) -> bool:
        """Asked first, since a generation cannot be taken back: a worker that is slow to answer could begin
        one that another worker has by then."""
        try:
            return (await self._bus.ask(HasRoom(worker=worker), timeout=self._preference)).free
        except Unanswered:
            self._workers.forget(worker)
            return False
        except (Transient, Refused):
            return False

    async def _follow(self, request: Generate | GenerateHere) -> Generated:
        answers = self._bus.ask_and_follow(request, StillGenerating, silence_seconds=self._silence)
        async with aclosing(answers):
            async for answer in answers:
                if isinstance(answer, Generated):
                    return answer
        raise Transient("the engine ended without an answer")

    async def count_tokens(self, texts: Sequence[str], engine: str, model: str | None) -> list[int]:
        counted = await self._bus.ask(CountTokens(texts=list(texts), engine=engine, model=model))
        return counted.counts

    async def models(self) -> ModelsReply:
        return await self._bus.ask(Models())

    async def abort(self, request_id: str) -> None:
        # No worker answers where none has it, and one needs no longer than this to end what it has.
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self._bus.connection.request(
                Abort.subject, encode(Abort(request_id=request_id)), timeout=_ABORT_SECONDS / 4
            )
