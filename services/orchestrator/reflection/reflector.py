"""The reflector: reads saved turns in the background, and publishes what in them lasts."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final, Protocol

from services.orchestrator.reflection.extraction import by_engine, by_patterns, joined, question_about
from services.orchestrator.reflection.readings import Readings
from shared.bus.deliveries import Delivery
from shared.contract.errors import Refused, Transient
from shared.contract.events import Event, TurnSaved
from shared.contract.requests import Generate, Generated, ModelsReply
from shared.language.statements import speaks_of_oneself

log = logging.getLogger(__name__)
NO_MODEL: Final = "extractive"
"""The engine without a generative model."""
_KNOWN_SECONDS: Final = 30.0
"""How long it is taken for granted which engine answers."""
_MOST_ATTEMPTS: Final = 5
"""After these, only the patterns read the turn."""


class Reader(Protocol):
    """Asks the engine. Raises Transient while there is none."""

    async def generate(self, request: Generate) -> Generated: ...

    async def models(self) -> ModelsReply: ...


Tell = Callable[[Event], Awaitable[Any]]


class Reflector:
    """Makes `memory.extracted` events from `turn.saved` events. `tell` stores an event."""

    workers: Final = 64
    """Turns in hand. Most of them wait until the engine has time."""

    def __init__(self, reader: Reader, tell: Tell, **times: float) -> None:
        """`times`: those of `Readings`."""
        self._reader = reader
        self._tell = tell
        self._readings = Readings(self._ask, **times)
        self._engine = ""
        self._looked_at = -_KNOWN_SECONDS

    async def run(self) -> None:
        """Reads with the engine. Never returns."""
        await self._readings.run()

    async def on_turn_saved(self, turn: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        """The same events for the same turn. What plain patterns find does not wait for the engine.

        Raises Transient while the engine is away.
        """
        if not speaks_of_oneself(turn.input):
            return []
        plain = by_patterns(turn)
        for event in plain:
            await self._tell(event)
        try:
            if await self._engine_name() == NO_MODEL:
                return []
            answer = await self._readings.answer_about(turn, delivery.stored_at)
        except Refused as refusal:
            log.warning("turn %d is read by patterns alone: %s", turn.turn_number, refusal)
            return []
        except Transient:
            if delivery.attempt < _MOST_ATTEMPTS:
                raise
            log.warning("turn %d is read by patterns alone: no engine answers", turn.turn_number)
            return []
        return joined(plain, by_engine(turn, answer))[len(plain) :]

    async def _ask(self, turns: Sequence[TurnSaved]) -> Generated:
        return await self._reader.generate(question_about(turns))

    async def _engine_name(self) -> str:
        if monotonic() - self._looked_at > _KNOWN_SECONDS:
            self._engine = (await self._reader.models()).engine
            self._looked_at = monotonic()
        return self._engine
