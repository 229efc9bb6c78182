"""The inference workers that answered the last turns: they hold the beginning of their sessions' prompts."""

import contextlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence

from nats.aio.msg import Msg

from shared.bus.connection import Bus
from shared.contract.errors import Poison
from shared.contract.events import decode
from shared.contract.requests import PrefixHeld

_TURNS = 10_000


class LastWorkers:
    """Hears of every answer, whichever orchestrator asked for it. Drops the oldest first."""

    def __init__(self) -> None:
        self._workers: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._turns_of: dict[str, Counter[str]] = defaultdict(Counter)
        """By engine and worker, how many of them."""

    async def listen(self, bus: Bus) -> None:
        async def take(message: Msg) -> None:
            with contextlib.suppress(Poison):
                self.note(decode(PrefixHeld, message.data))

        await bus.connection.subscribe(PrefixHeld.subject, cb=take)

    def note(self, held: PrefixHeld) -> None:
        key = held.engine, held.request_id.partition(":")[0]
        self._drop(key)
        self._workers[key] = held.worker
        self._turns_of[held.engine][held.worker] += 1
        while len(self._workers) > _TURNS:
            self._drop(next(iter(self._workers)))

    def forget(self, worker: str) -> None:
        """It has ended."""
        for key in [key for key, one in self._workers.items() if one == worker]:
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        if (worker := self._workers.pop(key, None)) is not None:
            turns_of = self._turns_of[key[0]]
            turns_of[worker] -= 1
            if not turns_of[worker]:
                del turns_of[worker]

    def are_several(self, engine: str) -> bool:
        """Whether more than one has answered. The only one gets every request in any case."""
        return len(self._turns_of[engine]) > 1

    def of(self, engine: str, turn_ids: Sequence[str]) -> str | None:
        """The worker that answered the last of these turns; None where that is not known."""
        known = (self._workers.get((engine, turn_id)) for turn_id in reversed(turn_ids))
        return next(filter(None, known), None)
