"""Memory, model, announcements and outcomes over the bus."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import aclosing

import nats.errors
import nats.js.errors

from services.orchestrator.domain.live import story_of
from services.orchestrator.ports import MakeEvent
from services.orchestrator.stopping import Stopping
from shared.bus import Bus
from shared.dead_letters import GivenUp, bury
from shared.errors import Poison, Transient
from shared.events import (
    AnyLiveEvent,
    Event,
    TurnRequested,
    decode_live,
    encode,
    joining_subject,
    live_subject,
)
from shared.keys import Conflict, publish_behind
from shared.replay import replay
from shared.replies import (
    Abort,
    CountTokens,
    Generate,
    Generated,
    Hit,
    ListTurns,
    Models,
    ModelsReply,
    Neighbours,
    Search,
    StillGenerating,
    TurnRow,
)
from shared.streams import LIVE, ORCHESTRATOR_TURN_REQUESTED, TURNS

_ABORT_SECONDS = 2.0


class BusMemory:
    """Memory at the indexer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def search(self, user: str, query: str, *, limit: int) -> list[Hit]:
        return (await self._bus.ask(Search(user=user, query=query, limit=limit, without_echoes=True))).hits

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        return (await self._bus.ask(Neighbours(user=user, turn_ids=list(turn_ids)))).turns

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        reply = await self._bus.ask(ListTurns(user=user, session_id=session_id, limit=limit))
        return reply.turns[::-1]


class BusAnnouncements:
    """Announcements on the turn's subject, which the LIVE stream keeps for a while."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        await self._bus.emit(turn_id, event)

    async def join(self, turn_id: str, known: Sequence[AnyLiveEvent], make: MakeEvent) -> list[AnyLiveEvent]:
        subject = live_subject(turn_id)
        sent = list(known)
        last_sequence = 0
        while True:
            async for page in replay(self._bus, str(LIVE.name), subject, first_sequence=last_sequence + 1):
                last_sequence = page[-1].sequence
                for stored in page:
                    with contextlib.suppress(Poison):  # Anybody may publish on the subject.
                        sent.append(decode_live(stored.body))
            joined = story_of(sent)
            next_event = make(joined)
            if next_event is None:
                return joined
            try:
                await publish_behind(
                    self._bus, joining_subject(turn_id), encode(next_event), last_sequence=last_sequence
                )
            except Conflict:
                continue  # Somebody sent one more; the next one goes behind that.
            await self.emit(turn_id, next_event)  # Now that it holds, for those who listen.
            return [*joined, next_event]


class BusModel:
    """Model, and the reflector's Reader, at any inference worker."""

    def __init__(self, bus: Bus, *, silence_seconds: float) -> None:
        self._bus = bus
        self._silence = silence_seconds

    async def generate(self, request: Generate, stopping: Stopping) -> Generated:
        following = asyncio.create_task(self._follow(request))
        told = asyncio.create_task(stopping.wait())
        try:
            with stopping.listened_to():
                await asyncio.wait({following, told}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))
                    await asyncio.wait({following}, timeout=_ABORT_SECONDS)
                if not following.done():
                    raise Transient("the engine did not answer the abort")
            return following.result()
        except asyncio.CancelledError:  # Nobody waits any more: the engine must not go on.
            with contextlib.suppress(Transient):
                await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))
            raise
        finally:
            following.cancel()
            told.cancel()

    async def _follow(self, request: Generate) -> Generated:
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


class BusOutcomes:
    """Outcomes on the stream OUTCOMES, and the queue TURNS."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, event: Event) -> None:
        await self._bus.publish(event)

    async def leave_queue(self, turn_number: int) -> None:
        try:
            await self._bus.jetstream.delete_msg(str(TURNS.name), turn_number)
        except nats.js.errors.APIError as error:
            if error.code and error.code >= 500 and error.err_code != _NO_MESSAGE:
                raise Transient(f"NATS did not delete turn {turn_number}: {error.description}") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise Transient(f"NATS did not delete turn {turn_number}") from error

    async def refuse(self, turn_number: int, request: TurnRequested) -> None:
        letter = GivenUp(
            durable=ORCHESTRATOR_TURN_REQUESTED.name,
            sequence=turn_number,
            subject=request.subject,
            body=encode(request),
            reason=f"there is another turn {request.turn_id}; give each turn an id of its own",
        )
        await bury(self._bus, letter)


_NO_MESSAGE = 10057
"""`no message found`: it left the queue before."""
