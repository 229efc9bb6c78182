"""Runs the turns that this process has room for, in the order that the queue says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from services.orchestrator.documents.ports import Documents
from services.orchestrator.phases.deps import Clock
from services.orchestrator.queue.lease import Claim
from services.orchestrator.queue.places import Pace, may_know_its_place
from services.orchestrator.queue.turn_lease import TurnLease
from services.orchestrator.queue.turn_queue import TurnQueue
from services.orchestrator.running.claimed import QueuedTurn, claimed_turn
from services.orchestrator.running.run import TurnRun
from services.orchestrator.running.unclaimed import UnclaimedTurns
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Transient
from shared.contract.events import TurnRequested
from shared.process import metrics

log = logging.getLogger(__name__)
Queue = TurnQueue[TurnRequested]
Lease = TurnLease[TurnRequested]
MakeRun = Callable[[Turn, Lease, bool], TurnRun]
_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.1


async def _at_once() -> None:
    """Where no disk is looked at, there is room."""


class Dispatcher:
    """One task for each turn in hand; at most `concurrency` of them are at work.

    A turn that waits for a person is in hand and not at work: another turn takes its slot. Answered, it goes
    on at once, so that more than `concurrency` are at work until one of them ends: a user who has just said
    yes should not wait for others again.
    """

    def __init__(
        self,
        queue: Queue,
        make_run: MakeRun,
        unclaimed: UnclaimedTurns,
        documents: Documents,
        clock: Clock,
        pace: Pace,
        *,
        concurrency: int,
        until_room: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        """`until_room` returns when the disk has room for the documents of a turn."""
        self.queue = queue
        self._make_run = make_run
        self._unclaimed = unclaimed
        self._documents = documents
        self._clock = clock
        self._pace = pace
        self._concurrency = concurrency
        self._until_room = until_room
        self._in_hand: set[asyncio.Task[None]] = set()
        self._runs: dict[str, TurnRun] = {}
        self._stopping = False
        queue.attach(self)

    @property
    def is_busy(self) -> bool:
        return self._at_work > 0

    @property
    def _at_work(self) -> int:
        return len(self._in_hand) - sum(run.is_waiting for run in self._runs.values())

    def run_of(self, turn_id: str) -> TurnRun | None:
        """The turn, where this process runs it."""
        return self._runs.get(turn_id)

    # --- what the queue says of turns that run here ---

    def on_newer_turn(self, running_id: str, newer: QueuedTurn) -> None:
        run = self._runs.get(running_id)
        if run is None or run.record is not None:
            return
        match newer.request.if_busy:
            case "reject":
                self.queue.see_end(newer.number)
                self._unclaimed.reject_soon(newer, running_id)
            case "interrupt":
                run.stop("interrupted")
            case "replace":
                run.stop("replaced")
            case "enqueue":
                if run.waits_for_client:  # Which has gone on without it.
                    run.stop("interrupted")

    def on_lease_lost(self, turn_id: str) -> None:
        if (run := self._runs.get(turn_id)) is not None:
            run.lose_lease()

    def on_repeated_turn(self, again: QueuedTurn, first: QueuedTurn) -> None:
        self._unclaimed.drop_soon(again, first)

    # --- running ---

    async def run(self) -> None:
        while True:
            await self.queue.wait_for_news()
            if not self.queue.has_next():
                continue  # Most news: a lease that was written, a turn that ended.
            await self._until_room()
            while self._at_work < self._concurrency and not self._stopping:
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
        self.queue.wake()

    async def stop(self, within: float) -> None:
        """Takes no more turns, waits for those that run, and hands back the rest; `within` is in seconds.

        A turn that only waits for a person, or begins to meanwhile, is handed back at once.
        """
        self._stopping = True
        now = asyncio.get_running_loop().time
        until = now() + within * 2 / 3
        while self._in_hand and (left := until - now()) > 0:
            for run in self._runs.values():
                if run.only_waits:
                    run.stop("handed_back")
            await asyncio.wait(self._in_hand, timeout=min(left, _LOOK_SECONDS))
        for run in self._runs.values():
            run.stop("handed_back")
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=within / 3)
        for task in self._in_hand:
            task.cancel()

    async def _take(self, claim: Claim[TurnRequested]) -> None:
        async with self.queue.take(claim) as lease:
            if lease is None:
                return
            try:
                await self._run(lease)
            except Transient as error:  # Before its run began. The lease is claimed here again.
                log.info("turn %d does not begin now: %s", lease.turn_number, error)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _run(self, lease: Lease) -> None:
        turn = await claimed_turn(lease, self._documents, self._clock())
        if turn is None:
            log.error("turn %d is in no queue, lease or folder; its session is freed", lease.turn_number)
            await lease.free(is_remembered=False)
            return
        if lease.is_takeover:
            metrics.turns_taken_over.inc()
            log.warning("turn %d is taken over, attempt %d", turn.turn_number, turn.attempt)
        waited = (turn.started_at - turn.requested_at).total_seconds()
        metrics.turn_queue_seconds.observe(max(0.0, waited))
        run = self._make_run(turn, lease, may_know_its_place(lease.item, self._clock()))
        self._runs[turn.turn_id] = run
        try:
            for newer in self.queue.newer_turns(lease):
                self.on_newer_turn(turn.turn_id, newer)
            with metrics.turns_running.track_inprogress():
                await run.run()
        except Exception:
            # Not expected. The lease must not stay with a process that does nothing for its turn.
            metrics.errors.labels("dispatch").inc()
            log.exception("turn %d is handed back", turn.turn_number)
            await asyncio.sleep(_PAUSE_SECONDS)
            await run.give_back()
        finally:
            del self._runs[turn.turn_id]
        self._pace.count((self._clock() - turn.started_at).total_seconds())
