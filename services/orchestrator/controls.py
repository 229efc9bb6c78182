"""Answers what is asked about turns that have not ended, and stops and steers them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from services.orchestrator.archive import read_record
from services.orchestrator.dispatch import Dispatcher
from services.orchestrator.domain.queue import Lease, SessionKey, Waiting
from services.orchestrator.domain.turn import Turn
from services.orchestrator.places import Places
from services.orchestrator.ports import Documents, LeaseLost, Leases
from services.orchestrator.run import TurnRun
from services.orchestrator.unrun import Unrun
from shared.endpoints import Endpoint
from shared.errors import Refused, Transient
from shared.replies import (
    Control,
    Controlled,
    FindRunning,
    FindUnended,
    ListUnended,
    RunningReply,
    TurnRecord,
    TurnStatus,
    UnendedStatus,
    UnendedTurn,
    UnendedTurns,
)

_LOOKS, _LOOK_SECONDS = 10, 0.05
"""A turn that was stored a moment ago may still be on its way here."""
_LOOKS_AT_AN_END = 3
_PAGE_CHARACTERS = 512 * 1024
"""Of inputs in one answer; JSON may spend six bytes on each, and a NATS message holds 8 MB."""
_NOT_RUNNING = {
    True: "the turn does not run yet; say it in a turn of the same session, or cancel this one",
    False: "the turn does not run yet; no tool call waits for an answer",
}
AskHolder = Callable[[str, Control], Awaitable[Controlled]]
"""Asks the process that holds a turn; raises Transient where it does not answer."""


class Controls:
    def __init__(
        self,
        dispatcher: Dispatcher,
        places: Places,
        leases: Leases,
        documents: Documents,
        unrun: Unrun,
        ask_holder: AskHolder,
        is_behind: Callable[[], Awaitable[bool]],
    ) -> None:
        self._dispatcher = dispatcher
        self._places = places
        self._leases = leases
        self._documents = documents
        self._unrun = unrun
        self._ask_holder = ask_holder
        self._is_behind = is_behind

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(FindUnended, lambda request, send: self.find_unended(request)),
            Endpoint(ListUnended, lambda request, send: self.list_unended(request)),
            Endpoint(FindRunning, lambda request, send: self.find_running(request)),
            Endpoint(Control, lambda request, send: self.control(request)),
        ]

    # --- looking ---

    async def find_unended(self, request: FindUnended) -> UnendedTurn:
        for look in range(_LOOKS):
            turn = self._dispatcher.queue.find(request.turn_id)
            if turn is not None and turn.request.user == request.user:
                return self._unended(turn, self._places.place_of(turn))
            if turn is not None or (look and await read_record(self._documents, request.turn_id)):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        raise await self._not_found(request.turn_id)

    async def list_unended(self, request: ListUnended) -> UnendedTurns:
        """Raises Transient where the queue is not known up to this moment."""
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_LOOK_SECONDS)
            if not await self._is_behind():
                break
        else:
            raise _still_reading()
        turns = [(self._status(turn), turn) for turn in self._dispatcher.queue.of_user(request.user)]
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

    async def find_running(self, request: FindRunning) -> RunningReply:
        session = (request.user, request.session_id)
        for _ in range(_LOOKS_AT_AN_END):
            if self._dispatcher.queue.running_of(session) is None:
                break
            # A turn's readers hear of its end a moment before its lease is free.
            await asyncio.sleep(_LOOK_SECONDS / 2)
        turn = self._dispatcher.queue.running_of(session)
        if turn is None:
            return RunningReply(turn=None)
        return RunningReply(turn=self._unended(turn, self._places.place_of(turn)))

    def _unended(self, turn: Waiting, place: int) -> UnendedTurn:
        """`place` is 0 where it runs."""
        status = self._status(turn)
        return UnendedTurn(
            turn_id=turn.request.turn_id,
            turn_number=turn.number,
            session_id=turn.request.session_id,
            user=turn.request.user,
            status=status,
            input=turn.request.input,
            requested_at=turn.requested_at,
            position=place,
            estimate_seconds=self._places.estimate_seconds(place) if status == "queued" else 0.0,
        )

    def _status(self, turn: Waiting) -> UnendedStatus:
        if not self._dispatcher.queue.is_running(turn):
            return "queued"
        lease = self._dispatcher.queue.lease_of(turn.session)
        return "waiting" if lease is not None and lease.is_waiting else "running"

    async def is_behind(self) -> bool:
        """Some turn that was accepted before this moment is not known here yet. Raises Transient."""
        return await self._is_behind()

    def of_user(self, user: str) -> list[Waiting]:
        """The user's turns that wait or run."""
        return self._dispatcher.queue.of_user(user)

    def running_of_user(self, user: str) -> set[str]:
        """The ids of those that run, wherever that is."""
        queue = self._dispatcher.queue
        return {turn.request.turn_id for turn in queue.of_user(user) if queue.is_running(turn)}

    # --- controlling ---

    async def control(self, request: Control) -> Controlled:
        """Whichever process is asked: it passes on what another one holds."""
        if request.action == "steer" and not request.text.strip():
            raise Refused(422, "text is empty; say what to add to the turn", "text")
        while True:
            if (run := self._dispatcher.run_of(request.turn_id)) is not None:
                if run.turn.request.user != request.user:
                    raise Refused(404, f"there is no turn {request.turn_id}")
                return await self.control_here(request)
            turn = await self._turn_of(request)
            if isinstance(turn, TurnRecord):
                return _had_ended(request, turn)
            lease = self._lease_of(turn)
            if lease is not None and lease.holder != self._dispatcher.own:
                try:
                    return await self._ask_holder(lease.holder, request)
                except Transient:
                    pass  # It is gone: its turn is one that nobody runs.
            elif lease is not None:
                await asyncio.sleep(_LOOK_SECONDS)  # Taken here at this very moment.
                continue
            return await self._control_unrun(request, turn)

    async def control_here(self, request: Control) -> Controlled:
        """For a turn that this process runs. Raises Transient where it does not."""
        run = self._dispatcher.run_of(request.turn_id)
        if run is None or run.turn.request.user != request.user:
            raise Transient(f"turn {request.turn_id} is not run here")
        try:
            match request.action:
                case "cancel":
                    return await _cancel(run)
                case "steer":
                    return await _steer(run, request.text)
                case "approve" | "deny":
                    return await _decide(run, request.call, request.action == "approve")
        except LeaseLost as lost:
            raise Transient(str(lost)) from lost

    async def _turn_of(self, request: Control) -> Waiting | TurnRecord:
        """Raises Refused (404) where the user has no such turn."""
        for look in range(_LOOKS):
            turn = self._dispatcher.queue.find(request.turn_id)
            if turn is not None and turn.request.user == request.user:
                return turn
            record = await read_record(self._documents, request.turn_id)
            if record is not None and record.user == request.user:
                return record
            if turn is not None or record is not None or look == _LOOKS - 1:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        raise await self._not_found(request.turn_id)

    async def _not_found(self, turn_id: str) -> Exception:
        """Never said by somebody who has not read the whole queue yet."""
        if await self._is_behind():
            return _still_reading()
        return Refused(404, f"there is no turn {turn_id}; its id is what POST /v1/turns answered")

    def _lease_of(self, turn: Waiting) -> Lease | None:
        lease = self._dispatcher.queue.lease_of(turn.session)
        if lease is None or lease.state != "held" or lease.turn_number != turn.number:
            return None
        return lease

    async def _control_unrun(self, request: Control, waiting: Waiting) -> Controlled:
        if request.action != "cancel":
            raise Refused(409, _NOT_RUNNING[request.action == "steer"])
        was_running = self._dispatcher.queue.is_running(waiting)
        turn = await self._saved_turn(waiting.session, request.turn_id) if was_running else None
        record = await self._unrun.cancel(turn or self._unrun.turn_from(waiting))
        self._dispatcher.see_end(waiting.number)
        if (run := self._dispatcher.run_of(request.turn_id)) is not None:
            await run.cancel()  # It was taken at this very moment; the folder says already that it ended.
        found: TurnStatus = "running" if was_running else "queued"
        is_cancelled = record.status == "cancelled"
        return Controlled(
            turn_id=request.turn_id, found=found if is_cancelled else record.status, done=is_cancelled
        )

    async def _saved_turn(self, session: SessionKey, turn_id: str) -> Turn | None:
        turn = await self._leases.turn_of(session)
        return turn if turn is not None and turn.turn_id == turn_id else None


def _still_reading() -> Transient:
    return Transient("this orchestrator is still reading the queue")


def _page_of(turns: list[Waiting], most: int) -> list[Waiting]:
    """Those in front that one answer holds; one at least, where there are any."""
    page: list[Waiting] = []
    room = _PAGE_CHARACTERS
    for turn in turns[:most]:
        room -= len(turn.request.input)
        if page and room < 0:
            break
        page.append(turn)
    return page


def _had_ended(request: Control, record: TurnRecord) -> Controlled:
    if request.action == "steer":
        raise Refused(409, f"the turn has ended ({record.status}); say it in a new turn of the session")
    if request.action != "cancel":
        raise Refused(409, f"the turn has ended ({record.status}); no tool call waits any more")
    return Controlled(turn_id=request.turn_id, found=record.status, done=record.status == "cancelled")


async def _cancel(run: TurnRun) -> Controlled:
    phase, had_ended = run.phase, run.record is not None
    done = await run.cancel()
    if run.record is not None and (had_ended or not done):
        return Controlled(turn_id=run.turn.turn_id, found=run.record.status, done=done)
    return Controlled(turn_id=run.turn.turn_id, found="running", phase=phase, done=done)


async def _decide(run: TurnRun, call: str, answer: bool) -> Controlled:
    phase = run.phase
    calls = await run.approvals.decide(call, answer)
    if not calls:
        raise Refused(
            409, f"no tool call {call} waits".replace("  ", " ") + "; it may be answered already", "call"
        )
    return Controlled(turn_id=run.turn.turn_id, found="waiting", phase=phase, done=True, calls=calls)


async def _steer(run: TurnRun, text: str) -> Controlled:
    phase = run.phase
    takes_effect = await run.steer(text)
    if takes_effect is None:
        raise Refused(409, "too late: the answer is being given already; say it in a new turn of the session")
    return Controlled(
        turn_id=run.turn.turn_id, found="running", phase=phase, done=True, takes_effect=takes_effect
    )
