"""What an orchestrator knows of all turns that wait or run, and which of them goes next.

Every orchestrator reads the same stream of turns and the same leases, so each knows the whole queue. Whoever
has room takes the turn that `next_claim` names; that only one gets it, the lease decides, not this picture.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from shared.events import TurnRequested

_FREE_LEASES = 2_000
SessionKey = tuple[str, str]
"""(user, session id): one user's session is never another's, whatever its name."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as it stands in the stream."""

    number: int
    request: TurnRequested
    requested_at: datetime
    seen_at: float
    """When this process read it, in seconds of its own clock."""
    is_backlog: bool = False
    """It was in the stream before this process read it."""

    @property
    def session(self) -> SessionKey:
        return (self.request.user, self.request.session_id)

    @property
    def overtakes(self) -> bool:
        return self.request.if_busy in ("interrupt", "replace")


class Lease(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who runs a turn of a session: `held` by a process, `handed_back` by one that stopped, or `free`."""

    state: Literal["held", "handed_back", "free"]
    turn_id: str
    turn_number: int
    """The turn that runs; where the session is free, the one that ended last."""
    holder: str = ""
    attempt: int = 1
    is_waiting: bool = False
    """A person has to allow what a tool would do."""
    recent: list[str] = []
    """Ids of the session's last turns, oldest first, for the time until the index knows them."""

    @property
    def is_at_work(self) -> bool:
        return self.state == "held" and not self.is_waiting


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that may be run now, by whoever is the first to write the session's lease over `revision`."""

    session: SessionKey
    turn_id: str
    turn_number: int
    waiting: Waiting | None
    """None where the stream has forgotten the turn and only the lease still holds it."""
    lease: Lease | None
    revision: int

    @property
    def is_takeover(self) -> bool:
        """Somebody ran it before."""
        return self.lease is not None and self.lease.state != "free"


class TurnQueue:
    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}
        self._numbers: dict[str, int] = {}
        self._of_session: dict[SessionKey, dict[int, None]] = {}
        self._leases: dict[SessionKey, tuple[Lease, int]] = {}
        self._held: Counter[str] = Counter()
        self._dead: set[str] = set()
        self._claiming: set[SessionKey] = set()
        self._ready: dict[str, list[tuple[int, SessionKey]]] = {}
        """Heaps by user; an entry is only true where `_next_number` of its session still says the same."""
        self._free: dict[SessionKey, None] = {}
        """Sessions that nobody runs a turn of, the one that became free first at the front."""
        self._served: dict[str, int] = {}
        self._services = 0

    # --- what is learned ---

    def add(self, turn: Waiting) -> bool:
        """False where the turn's id is in the queue already, under another number."""
        known = self._numbers.get(turn.request.turn_id)
        if known is not None and known != turn.number:
            return False
        if turn.number not in self._waiting:
            self._waiting[turn.number] = turn
            self._numbers[turn.request.turn_id] = turn.number
            self._of_session.setdefault(turn.session, {})[turn.number] = None
            self._offer(turn.session)
        return True

    def remove(self, number: int) -> None:
        turn = self._waiting.pop(number, None)
        if turn is None:
            return
        del self._numbers[turn.request.turn_id]
        numbers = self._of_session[turn.session]
        del numbers[number]
        if not numbers:
            del self._of_session[turn.session]
        self._offer(turn.session)

    def see_lease(self, session: SessionKey, lease: Lease, revision: int) -> None:
        """An older revision than the one that is known changes nothing."""
        known = self._leases.get(session)
        if known is not None and known[1] >= revision:
            return
        self._held[session[0]] += lease.is_at_work - (known is not None and known[0].is_at_work)
        self._leases[session] = (lease, revision)
        self._claiming.discard(session)
        self._free.pop(session, None)
        if lease.state == "free":
            self.remove(lease.turn_number)
            self._note_free(session)
        self._offer(session)

    def forget_lease(self, session: SessionKey) -> None:
        """The server keeps nothing of the session any more."""
        known = self._leases.pop(session, None)
        self._free.pop(session, None)
        if known is not None and known[0].is_at_work:
            self._held[session[0]] -= 1
        self._claiming.discard(session)
        self._offer(session)

    def _note_free(self, session: SessionKey) -> None:
        """Bounded: the server forgets free leases as well."""
        self._free[session] = None
        if len(self._free) > _FREE_LEASES:
            self.forget_lease(next(iter(self._free)))

    def forget_leases(self) -> None:
        for session in list(self._leases):
            self.forget_lease(session)

    def set_dead(self, holders: set[str]) -> None:
        """Names the processes that are gone: what they held may be taken over."""
        newly, self._dead = holders - self._dead, holders
        if newly:
            for session, (lease, _) in list(self._leases.items()):
                if lease.state == "held" and lease.holder in newly:
                    self._offer(session)

    # --- who is next ---

    def next_claim(self) -> Claim | None:
        """The next turn: users with the fewest turns at work first, then whoever waited longest for one.

        The session counts as taken from here on, until its lease is seen or `give_up` is called.
        """
        best: tuple[int, int, str] | None = None
        for user in list(self._ready):
            if self._head(user) is None:
                del self._ready[user]
                self._served.pop(user, None)
                continue
            rank = (self._held[user], self._served.get(user, 0), user)
            best = rank if best is None else min(best, rank)
        if best is None:
            return None
        user = best[2]
        _, session = heapq.heappop(self._ready[user])
        self._services += 1
        self._served[user] = self._services
        claim = self._claim_of(session)
        self._claiming.add(session)
        return claim

    def give_up(self, session: SessionKey) -> None:
        """The claim did not succeed; the session may be offered again."""
        self._claiming.discard(session)
        self._offer(session)

    def _head(self, user: str) -> tuple[int, SessionKey] | None:
        heap = self._ready[user]
        while heap and self._next_number(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _offer(self, session: SessionKey) -> None:
        if (number := self._next_number(session)) is not None:
            heapq.heappush(self._ready.setdefault(session[0], []), (number, session))

    def _next_number(self, session: SessionKey) -> int | None:
        """The turn that the session would run now; None while another one runs or none waits."""
        if session in self._claiming:
            return None
        lease = self.lease_of(session)
        if lease is not None and lease.state != "free":
            is_gone = lease.state == "handed_back" or lease.holder in self._dead
            return lease.turn_number if is_gone else None
        numbers = self._of_session.get(session)
        if not numbers:
            return None
        return next((number for number in numbers if self._waiting[number].overtakes), next(iter(numbers)))

    def _claim_of(self, session: SessionKey) -> Claim:
        lease, revision = self._leases.get(session, (None, 0))
        number = self._next_number(session)
        if number is None:
            raise RuntimeError(f"session {session} has no turn to run")
        waiting = self._waiting.get(number)
        if lease is not None and lease.state != "free":
            turn_id = lease.turn_id
        elif waiting is not None:
            turn_id = waiting.request.turn_id
        else:
            raise RuntimeError(f"turn {number} is not in the queue")
        return Claim(
            session=session,
            turn_id=turn_id,
            turn_number=number,
            waiting=waiting,
            lease=lease,
            revision=revision,
        )

    # --- looking ---

    def lease_of(self, session: SessionKey) -> Lease | None:
        known = self._leases.get(session)
        return known[0] if known else None

    def find(self, turn_id: str) -> Waiting | None:
        number = self._numbers.get(turn_id)
        return None if number is None else self._waiting[number]

    def of_user(self, user: str) -> list[Waiting]:
        """The user's turns that wait or run."""
        return [turn for turn in self._waiting.values() if turn.request.user == user]

    def is_running(self, turn: Waiting) -> bool:
        lease = self.lease_of(turn.session)
        return lease is not None and lease.state != "free" and lease.turn_number == turn.number

    def running_of(self, session: SessionKey) -> Waiting | None:
        """The turn that keeps the session busy: the one that runs, else the first that waits."""
        lease = self.lease_of(session)
        if lease is not None and lease.state != "free" and lease.turn_number in self._waiting:
            return self._waiting[lease.turn_number]
        numbers = self._of_session.get(session)
        return self._waiting[next(iter(numbers))] if numbers else None

    def behind(self, session: SessionKey, number: int) -> list[Waiting]:
        """The session's turns that came after this one."""
        return [self._waiting[other] for other in self._of_session.get(session, ()) if other > number]

    def holders(self) -> set[str]:
        return {lease.holder for lease, _ in self._leases.values() if lease.state == "held"}

    def __len__(self) -> int:
        return len(self._waiting)

    def places(self) -> Iterable[tuple[int, Waiting]]:
        """(turns before it, turn) of each turn that waits: first the first of each user, and so on."""
        ranks: Counter[str] = Counter()
        order: list[tuple[int, int]] = []
        for number, turn in self._waiting.items():
            if not self.is_running(turn):
                order.append((ranks[turn.request.user], number))
                ranks[turn.request.user] += 1
        order.sort()
        return ((place, self._waiting[number]) for place, (_, number) in enumerate(order))
