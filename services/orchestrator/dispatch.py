"""Takes the turns that this process has room for, in the order that the queue says."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from services.orchestrator.domain.queue import Claim, Lease, SessionKey, TurnQueue, Waiting
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.deps import Clock
from services.orchestrator.ports import Held, Leases
from services.orchestrator.run import TurnRun
from services.orchestrator.unrun import Unrun
from shared import metrics
from shared.errors import Transient

log = logging.getLogger(__name__)
MakeRun = Callable[[Turn, Held, bool], TurnRun]
_WAITED_SECONDS = 0.5
"""A turn that is taken sooner has had no word of its place yet; see places.py."""
_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_TURNS_OF_THE_MEAN = 50


class Dispatcher:
    """One task for each turn in hand; at most `concurrency` of them are at work.

    A turn that waits for a person is in hand and not at work: another one takes its slot. Answered, it goes
    on at once, so that more than `concurrency` are at work until one of them ends: whoever has just said yes
    should not wait behind others again.
    """

    def __init__(
        self,
        own: str,
        queue: TurnQueue,
        leases: Leases,
        make_run: MakeRun,
        unrun: Unrun,
        clock: Clock,
        *,
        concurrency: int,
    ) -> None:
        self.own = own
        self.queue = queue
        self.concurrency = concurrency
        self.mean_seconds = 0.0
        self._leases = leases
        self._make_run = make_run
        self._unrun = unrun
        self._clock = clock
        self._news = asyncio.Event()
        self._in_hand: set[asyncio.Task[None]] = set()
        self._runs: dict[str, TurnRun] = {}
        self._stopping = False

    @property
    def is_busy(self) -> bool:
        return self._at_work > 0

    @property
    def _at_work(self) -> int:
        return len(self._in_hand) - sum(run.is_waiting for run in self._runs.values())

    def run_of(self, turn_id: str) -> TurnRun | None:
        return self._runs.get(turn_id)

    # --- what is learned of the queue ---

    def see_turn(self, turn: Waiting) -> None:
        if self.queue.add(turn):
            self._mind_newer(turn.session)
            self._news.set()
        else:
            self._unrun.drop_aside(turn, self.queue.find(turn.request.turn_id))

    def see_lease(self, session: SessionKey, lease: Lease, revision: int) -> None:
        self.queue.see_lease(session, lease, revision)
        run = self._runs.get(lease.turn_id)
        if run is not None and lease.state == "held" and lease.holder != self.own:
            run.stopping.tell("handed_back")  # It was taken over; its next save will say so.
        self._news.set()  # Also where one of this process begins to wait: that is saved with its lease.

    def see_end(self, turn_number: int) -> None:
        self.queue.remove(turn_number)
        self._news.set()

    def see_dead(self, holders: set[str]) -> None:
        self.queue.set_dead(holders)
        self._news.set()

    def forget_leases(self) -> None:
        self.queue.forget_leases()
        self._news.set()

    # --- running ---

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._at_work < self.concurrency and not self._stopping:
                claim = self.queue.next_claim()
                if claim is None:
                    break
                task = asyncio.create_task(self._take(claim))
                self._in_hand.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            metrics.errors.labels("dispatch").inc()
            log.error("a turn was let go", exc_info=error)
        self._news.set()

    async def stop(self, within: float) -> None:
        """Takes no more, lets what runs come to its end, hands back the rest; `within` is in seconds.

        What only waits for a person, or begins to meanwhile, is handed back at once.
        """
        self._stopping = True
        now = asyncio.get_running_loop().time
        until = now() + within * 2 / 3
        while self._in_hand and (left := until - now()) > 0:
            for run in self._runs.values():
                if run.only_waits:
                    run.stopping.tell("handed_back")
            await asyncio.wait(self._in_hand, timeout=min(left, _LOOK_SECONDS))
        for run in self._runs.values():
            run.stopping.tell("handed_back")
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=within / 3)
        for task in self._in_hand:
            task.cancel()

    async def _take(self, claim: Claim) -> None:
        try:
            held = await self._claim(claim)
            if held is not None:
                await self._run(claim, held)
        except Transient as error:
            log.info("turn %d is not taken now: %s", claim.turn_number, error)
            await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self.queue.give_up(claim.session)

    async def _claim(self, claim: Claim) -> Held | None:
        earlier = claim.lease
        lease = Lease(
            state="held",
            holder=self.own,
            turn_id=claim.turn_id,
            turn_number=claim.turn_number,
            attempt=earlier.attempt + 1 if earlier is not None and claim.is_takeover else 1,
            recent=earlier.recent if earlier is not None else [],
        )
        held = await self._leases.claim(claim, lease)
        if held is not None:
            self.queue.see_lease(claim.session, lease, held.revision)
            return held
        current = await self._leases.look(claim.session)
        if current is None:
            self.queue.forget_lease(claim.session)
        else:
            self.see_lease(claim.session, *current)
        return None

    async def _run(self, claim: Claim, held: Held) -> None:
        turn = await self._turn_of(claim, held)
        if turn is None:
            log.error("turn %d is in no queue, lease or folder; its session is freed", claim.turn_number)
            lease = msgspec.structs.replace(held.lease, state="free")
            freed = await self._leases.save(held, lease, None)
            self.see_lease(claim.session, lease, freed.revision)
            return
        if claim.is_takeover:
            metrics.turns_taken_over.inc()
            log.warning("turn %d is taken over, attempt %d", turn.turn_number, turn.attempt)
        waited = (turn.started_at - turn.requested_at).total_seconds()
        metrics.turn_queue_seconds.observe(max(0.0, waited))
        run = self._make_run(turn, held, self._has_waited(claim))
        self._runs[turn.turn_id] = run
        self._mind_newer(claim.session)
        try:
            with metrics.turns_running.track_inprogress():
                await run.run()
        except Exception:
            # Nobody expected it. The lease must not stay with a process that does nothing for it.
            metrics.errors.labels("dispatch").inc()
            log.exception("turn %d is handed back", turn.turn_number)
            await asyncio.sleep(_PAUSE_SECONDS)
            await run.give_back()
        finally:
            del self._runs[turn.turn_id]
        self.see_lease(claim.session, run.held.lease, run.held.revision)
        self._count_seconds((self._clock() - turn.started_at).total_seconds())

    async def _turn_of(self, claim: Claim, held: Held) -> Turn | None:
        """As it was saved, else as it stands in the queue, else as it ended: it left the queue after that."""
        lease = held.lease
        if claim.is_takeover and (saved := await self._leases.turn_of(claim.session)) is not None:
            return msgspec.structs.replace(saved, attempt=lease.attempt)
        now = self._clock()
        if claim.waiting is not None:
            request, requested_at = claim.waiting.request, claim.waiting.requested_at
        else:
            ended = await self._unrun.request_of(claim.turn_id, claim.session)
            if ended is None:
                return None
            request, requested_at = ended, now
        return Turn(
            request=request,
            turn_number=claim.turn_number,
            requested_at=requested_at,
            started_at=now,
            phase_started_at=now,
            attempt=lease.attempt,
            earlier=lease.recent,
        )

    def _has_waited(self, claim: Claim) -> bool:
        waiting = claim.waiting
        if waiting is None or waiting.is_backlog:
            return True
        here = asyncio.get_running_loop().time() - waiting.seen_at
        # This process may have read it late, after an outage.
        in_the_queue = (self._clock() - waiting.requested_at).total_seconds()
        return max(here, in_the_queue) > _WAITED_SECONDS

    def _count_seconds(self, seconds: float) -> None:
        weight = 1 / _TURNS_OF_THE_MEAN if self.mean_seconds else 1.0
        self.mean_seconds += weight * (seconds - self.mean_seconds)

    def _mind_newer(self, session: SessionKey) -> None:
        """Lets a newer turn of a session that is busy here do what it asked for."""
        lease = self.queue.lease_of(session)
        run = self._runs.get(lease.turn_id) if lease is not None else None
        if run is None or run.record is not None or lease is None or lease.state != "held":
            return
        for newer in self.queue.behind(session, lease.turn_number):
            match newer.request.if_busy:
                case "reject":
                    self.queue.remove(newer.number)
                    self._unrun.reject_aside(newer, lease.turn_id)
                case "interrupt":
                    run.stopping.tell("interrupted")
                case "replace":
                    run.stopping.tell("replaced")
                case "enqueue":
                    pass
