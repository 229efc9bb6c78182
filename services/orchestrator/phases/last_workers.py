"""The inference workers that answered the last turns: they hold the beginning of their sessions' prompts."""

import contextlib
from collections import OrderedDict
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

    async def listen(self, bus: Bus) -> None:
        async def take(message: Msg) -> None:
            with contextlib.suppress(Poison):
                self.note(decode(PrefixHeld, message.data))

        await bus.connection.subscribe(PrefixHeld.subject, cb=take)

    def note(self, held: PrefixHeld) -> None:
        turn_id = held.request_id.partition(":")[0]
        self._workers[held.engine, turn_id] = held.worker
        while len(self._workers) > _TURNS:
            self._workers.popitem(last=False)

    def of(self, engine: str, turn_ids: Sequence[str]) -> str | None:
        """The worker that answered the last of these turns; None where that is not known."""
        known = (self._workers.get((engine, turn_id)) for turn_id in reversed(turn_ids))
        return next(filter(None, known), None)
