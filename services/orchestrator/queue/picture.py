"""What one process knows of all turns that wait or run, and which of them goes next.

Every process reads the same stream of turns and the same leases, so each knows the whole queue. A process
with room for a turn claims the one that `next_claim` names. The lease decides who gets it, not this picture,
which may be some milliseconds old.
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Generic

from services.orchestrator.queue.item import Item, R, SessionKey
from services.orchestrator.queue.lease import Claim, Lease

_FREE_LEASES = 2_000


class QueuePicture(Generic[R]):
    """`own` is the name of this process, as its leases say it."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._items: dict[int, Item[R]] = {}
        self._numbers: dict[str, int] = {}
        self._of_session: dict[SessionKey, dict[int, None]] = {}
        self._leases: dict[SessionKey, tuple[Lease, int]] = {}
        self._at_work: Counter[str] = Counter()
        """Turns by user."""
        self._dead: set[str] = set()
        self._in_hand: set[SessionKey] = set()
        """Sessions whose turn this process claims or runs."""
        self._ready: dict[str, list[tuple[int, SessionKey]]] = {}
        """Heaps by user. An entry is outdated where `_next_number` of its session says another number."""
        self._free: dict[SessionKey, None] = {}
        """Sessions with a free lease; the one that has been free for longest comes first."""
        self._served: dict[str, int] = {}
        """When each user was last named by `next_claim`, in numbers of claims."""
        self._claims = 0

    # --- what is learned ---

    def add(self, item: Item[R]) -> bool:
        """False where the turn's id is in the queue already, under another number."""
        known = self._numbers.get(item.id)
        if known is not None and known != item.number:
            return False
        if item.number not in self._items:
            self._items[item.number] = item
            self._numbers[item.id] = item.number
            self._of_session.setdefault(item.session, {})[item.number] = None
            self._offer(item.session)
        return True

    def remove(self, number: int) -> None:
        item = self._items.pop(number, None)
        if item is None:
            return
        del self._numbers[item.id]
        numbers = self._of_session[item.session]
        del numbers[number]
        if not numbers:
            del self._of_session[item.session]
        self._offer(item.session)

    def see_lease(self, session: SessionKey, lease: Lease, revision: int) -> bool:
        """False where a later revision is known; then nothing changes."""
        known = self._leases.get(session)
        if known is not None and known[1] >= revision:
            return False
        self._at_work[session[0]] += lease.is_at_work - (known is not None and known[0].is_at_work)
        self._leases[session] = (lease, revision)
        self._free.pop(session, None)
        if lease.state == "free":
            self.remove(lease.turn_number)
            self._note_free(session)
        self._offer(session)
        return True

    def forget_lease(self, session: SessionKey) -> None:
        """The server has no lease of the session any more."""
        known = self._leases.pop(session, None)
        self._free.pop(session, None)
        if known is not None and known[0].is_at_work:
            self._at_work[session[0]] -= 1
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
        """Names the processes that are dead. What they held may be taken over."""
        newly, self._dead = holders - self._dead, holders
        if newly:
            for session, (lease, _) in list(self._leases.items()):
                if lease.state == "held" and lease.holder in newly:
                    self._offer(session)

    # --- who is next ---

    def has_next(self) -> bool:
        """Whether a turn may be claimed. Users without one are let go."""
        for user in [user for user in self._ready if not self._has_ready(user)]:
            del self._ready[user]
            self._served.pop(user, None)
        return bool(self._ready)

    def next_claim(self) -> Claim[R] | None:
        """The next turn: of the user with the fewest turns at work, then of the one named longest ago.

        The session is in hand from now on, until `release` is called.
        """
        if not self.has_next():
            return None
        user = min(self._ready, key=lambda user: (self._at_work[user], self._served.get(user, 0), user))
        number, session = heapq.heappop(self._ready[user])
        self._claims += 1
        self._served[user] = self._claims
        self._in_hand.add(session)
        return self._claim_of(session, number)

    def release(self, session: SessionKey) -> None:
        """This process claims and runs nothing of the session any more."""
        self._in_hand.discard(session)
        self._offer(session)

    def _has_ready(self, user: str) -> bool:
        heap = self._ready[user]
        while heap and self._next_number(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return bool(heap)

    def _offer(self, session: SessionKey) -> None:
        if (number := self._next_number(session)) is not None:
            heapq.heappush(self._ready.setdefault(session[0], []), (number, session))

    def _next_number(self, session: SessionKey) -> int | None:
        """The turn that the session would run now; None while another one runs or none waits."""
        if session in self._in_hand:
            return None
        lease = self.lease_of(session)
        if lease is not None and lease.is_busy:
            return lease.turn_number if self._is_abandoned(lease) else None
        numbers = self._of_session.get(session)
        if not numbers:
            return None
        return next((number for number in numbers if self._items[number].overtakes), next(iter(numbers)))

    def _is_abandoned(self, lease: Lease) -> bool:
        """No process runs the turn of this busy session. Asked of sessions that are not in hand here.

        A lease of this process that is not in hand comes from a claim that was stored after it was given up.
        """
        return lease.state == "handed_back" or lease.holder in self._dead or lease.holder == self._own

    def _claim_of(self, session: SessionKey, number: int) -> Claim[R]:
        lease, revision = self._leases.get(session, (None, 0))
        item = self._items.get(number)
        if lease is not None and lease.is_busy:
            turn_id = lease.turn_id
        elif item is not None:
            turn_id = item.id
        else:
            raise RuntimeError(f"turn {number} is not in the queue")
        return Claim(
            session=session, turn_id=turn_id, turn_number=number, item=item, lease=lease, revision=revision
        )

    # --- looking ---

    def lease_of(self, session: SessionKey) -> Lease | None:
        known = self._leases.get(session)
        return known[0] if known else None

    def find(self, turn_id: str) -> Item[R] | None:
        number = self._numbers.get(turn_id)
        return None if number is None else self._items[number]

    def of_user(self, user: str) -> list[Item[R]]:
        return [item for item in self._items.values() if item.request.user == user]

    def runs(self, item: Item[R]) -> Lease | None:
        """The lease with which the turn runs, in any process; None where it waits."""
        lease = self.lease_of(item.session)
        return lease if lease is not None and lease.is_busy and lease.turn_number == item.number else None

    def first_of(self, session: SessionKey) -> Item[R] | None:
        """The turn that keeps the session busy: the one that runs, else the first that waits."""
        lease = self.lease_of(session)
        if lease is not None and lease.is_busy and lease.turn_number in self._items:
            return self._items[lease.turn_number]
        numbers = self._of_session.get(session)
        return self._items[next(iter(numbers))] if numbers else None

    def after(self, session: SessionKey, number: int) -> list[Item[R]]:
        """The session's turns with a higher number."""
        return [self._items[other] for other in self._of_session.get(session, ()) if other > number]

    def holders(self) -> set[str]:
        return {lease.holder for lease, _ in self._leases.values() if lease.state == "held"}

    def __len__(self) -> int:
        return len(self._items)

    def places(self) -> Iterator[tuple[int, Item[R]]]:
        """(turns before it, turn) of each turn that waits: first the oldest of each user, and so on."""
        ranks: Counter[str] = Counter()
        order: list[tuple[int, int]] = []
        for number, item in self._items.items():
            if self.runs(item) is None:
                user = item.request.user
                order.append((ranks[user], number))
                ranks[user] += 1
        order.sort()
        return ((place, self._items[number]) for place, (_, number) in enumerate(order))
