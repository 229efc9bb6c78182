"""Answers what is asked about turns that wait or run, in whichever process."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.queue.item import SessionKey
from services.orchestrator.queue.places import Places
from services.orchestrator.queue.turn_queue import TurnQueue
from services.orchestrator.running.checkpoints import saved_turn
from services.orchestrator.running.claimed import QueuedTurn
from services.orchestrator.turn.state import Turn
from shared.bus.endpoints import endpoint
from shared.contract.derivation import derive
from shared.contract.errors import Refused, Transient
from shared.contract.events import TurnRequested
from shared.contract.requests import (
    FindRunning,
    FindUnended,
    GetOriginal,
    ListUnended,
    RunningReply,
    UnendedTurn,
    UnendedTurns,
)

LOOKS, LOOK_SECONDS = 11, 0.05
"""A turn that was stored a moment ago may still be on its way here."""
_LOOKS_AT_AN_END = 3
_PAGE_CHARACTERS = 512 * 1024
"""Of inputs in one answer. JSON may spend six bytes on each, and a NATS message holds 8 MB."""


class CurrentTurns:
    def __init__(
        self,
        queue: TurnQueue[TurnRequested],
        places: Places[TurnRequested],
        documents: Documents,
        is_behind: Callable[[], Awaitable[bool]],
    ) -> None:
        self._queue = queue
        self._places = places
        self._documents = documents
        self._is_behind = is_behind

    @endpoint
    async def find_unended(self, request: FindUnended) -> UnendedTurn:
        turn = await self._found(request.user, request.turn_id)
        return self._unended(turn, self._places.place_of(turn))

    @endpoint
    async def get_original(self, request: GetOriginal) -> TurnRequested:
        return (await self._found(request.user, request.turn_id)).request

    @endpoint
    async def list_unended(self, request: ListUnended) -> UnendedTurns:
        """Raises Transient where the queue is not known up to this moment."""
        await self._until_known()
        turns = [(self._queue.status_of(turn), turn) for turn in self._queue.of_user(request.user)]
        turns.sort(key=lambda one: one[1].number)
        counts = Counter(status for status, _ in turns)
        left = [
            turn for status, turn in turns if turn.number > request.after and request.status in (None, status)
        ]
        page = _page_of(left, request.limit)
        places = self._places.all()
        return UnendedTurns(
            turns=[self._unended(turn, places.get(turn.number, 0)) for turn in page],
            more=len(left) > len(page),
            queued=counts["queued"],
            running=counts["running"],
            waiting=counts["waiting"],
        )

    @endpoint
    async def find_running(self, request: FindRunning) -> RunningReply:
        session = (request.user, request.session_id)
        for _ in range(_LOOKS_AT_AN_END):
            if self._queue.first_of(session) is None:
                break
            # A turn's readers hear of its end a moment before its lease is free.
            await asyncio.sleep(LOOK_SECONDS / 2)
        turn = self._queue.first_of(session)
        if turn is None:
            return RunningReply(turn=None)
        return RunningReply(turn=self._unended(turn, self._places.place_of(turn)))

    async def is_behind(self) -> bool:
        """Some turn that was accepted before this moment is not known here yet. Raises Transient."""
        return await self._is_behind()

    def of_user(self, user: str) -> list[QueuedTurn]:
        return self._queue.of_user(user)

    def running_of_user(self, user: str) -> set[str]:
        """The ids of those that run, in whichever process."""
        turns = self._queue.of_user(user)
        return {turn.request.turn_id for turn in turns if self._queue.status_of(turn) != "queued"}

    async def turn_of(self, session: SessionKey) -> Turn | None:
        """The session's running turn as it was saved last; None where it never was. Raises Transient."""
        return saved_turn(await self._queue.checkpoint_of(session))

    async def looks(self) -> AsyncIterator[int]:
        """Yields the number of each look for a turn. Raises Transient where the last one could tell nothing.

        What the last look does not find is not in the queue: all that was stored before was read before it.
        """
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOK_SECONDS)
            if look == LOOKS - 1 and await self._is_behind():
                raise _still_reading()
            yield look

    async def _found(self, user: str, turn_id: str) -> QueuedTurn:
        """Raises Refused (404), and Transient."""
        async for look in self.looks():
            turn = self._queue.find(turn_id)
            if turn is not None and turn.request.user == user:
                return turn
            if turn is not None or (look and await read_record(self._documents, turn_id)):
                break
        raise no_turn(turn_id)

    async def _until_known(self) -> None:
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOK_SECONDS)
            if not await self._is_behind():
                return
        raise _still_reading()

    def _unended(self, turn: QueuedTurn, place: int) -> UnendedTurn:
        """`place` is 0 where it runs."""
        status = self._queue.status_of(turn)
        return derive(
            UnendedTurn,
            turn.request,
            turn,
            turn_number=turn.number,
            status=status,
            position=place,
            estimate_seconds=self._places.estimate_seconds(place) if status == "queued" else 0.0,
        )


def no_turn(turn_id: str) -> Refused:
    return Refused(404, f"there is no turn {turn_id}; its id is what POST /v1/turns answered")


def _still_reading() -> Transient:
    return Transient("this orchestrator is still reading the queue")


def _page_of(turns: list[QueuedTurn], most: int) -> list[QueuedTurn]:
    """The first ones, as many as one answer holds; one at least, where there are any."""
    page: list[QueuedTurn] = []
    room = _PAGE_CHARACTERS
    for turn in turns[:most]:
        room -= len(turn.request.input)
        if page and room < 0:
            break
        page.append(turn)
    return page
