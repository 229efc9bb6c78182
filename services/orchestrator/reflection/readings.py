"""Saved turns that wait for an engine to read them, and the one reading that is under way.

No user waits for a reading. So it gets what the turns leave of the engine: a worker refuses it while a turn
is answered, and breaks it off where one comes. Several turns of a session are read in one request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from services.orchestrator.queue.item import SessionKey
from shared.contract.errors import Refused
from shared.contract.events import TurnSaved
from shared.contract.requests import ENGINE_NEEDED, Generated
from shared.process import metrics

_SETTLE_SECONDS: Final = 3.0
"""After a turn its session may go on."""
_LOOK_AGAIN_SECONDS: Final = 1.0
_SHARE: Final = 0.25
"""Of the engine's time, at most."""
_MOST_TURNS: Final = 8
_MOST_CHARACTERS: Final = 8000

Read = Callable[[Sequence[TurnSaved]], Awaitable[Generated]]


class _Waiting(msgspec.Struct, frozen=True):
    turn: TurnSaved
    stored_at: datetime
    arrived_at: float
    answer: asyncio.Future[str]


class Readings:
    """`read` asks the engine about turns of one session. Raises Refused and Transient."""

    def __init__(
        self,
        read: Read,
        *,
        settle_seconds: float = _SETTLE_SECONDS,
        look_again_seconds: float = _LOOK_AGAIN_SECONDS,
    ) -> None:
        self._read = read
        self._settle = settle_seconds
        self._look_again = look_again_seconds
        self._waiting: dict[SessionKey, list[_Waiting]] = {}
        self._news = asyncio.Event()
        metrics.reflection_lag_seconds.set_function(self._lag_seconds)

    async def answer_about(self, turn: TurnSaved, stored_at: datetime) -> str:
        """What the engine says of the turn, and of others of its session. Raises Refused and Transient."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(turn, stored_at, loop.time(), loop.create_future())
        session = (turn.user, turn.session_id)
        self._waiting.setdefault(session, []).append(waiting)
        self._news.set()
        try:
            return await waiting.answer
        finally:
            self._leave(session, waiting)

    async def run(self) -> None:
        """Never returns."""
        clock = asyncio.get_running_loop().time
        while True:
            self._news.clear()
            if not self._waiting:
                await self._news.wait()
                continue
            session = next(iter(self._waiting))
            due_in = self._waiting[session][0].arrived_at + self._settle - clock()
            if due_in > 0:
                await asyncio.sleep(due_in)
            elif batch := _first_of(self._waiting[session]):
                await asyncio.sleep(await self._read_together(batch))

    async def _read_together(self, batch: Sequence[_Waiting]) -> float:
        """Returns the seconds until the engine may be asked again."""
        try:
            generated = await self._read([one.turn for one in batch])
        except Exception as error:
            if isinstance(error, Refused) and error.status == ENGINE_NEEDED:
                return self._look_again
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return self._look_again
        for one in batch:
            if not one.answer.done():
                one.answer.set_result(generated.text)
        return generated.seconds * (1 / _SHARE - 1)

    def _leave(self, session: SessionKey, waiting: _Waiting) -> None:
        left = [one for one in self._waiting[session] if one is not waiting]
        if left:
            self._waiting[session] = left
        else:
            del self._waiting[session]

    def _lag_seconds(self) -> float:
        stored = [one.stored_at for session in self._waiting.values() for one in session]
        return (datetime.now(UTC) - min(stored)).total_seconds() if stored else 0.0


def _first_of(waiting: Sequence[_Waiting]) -> list[_Waiting]:
    """Those that are asked about together: the first ones, at least one."""
    batch: list[_Waiting] = []
    characters = 0
    for one in waiting[:_MOST_TURNS]:
        characters += len(one.turn.input)
        if batch and characters > _MOST_CHARACTERS:
            break
        batch.append(one)
    return [one for one in batch if not one.answer.done()]
