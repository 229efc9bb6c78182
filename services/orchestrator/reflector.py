"""The reflector: reads saved turns in the background, and says what in them lasts.

Nobody waits for it. It generates one answer at a time, and lets what users wait for go first.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from services.orchestrator.domain.reflection import by_engine, by_patterns, joined, question_about
from services.orchestrator.stopping import Stopping
from shared.deliveries import Delivery
from shared.errors import Refused, Transient
from shared.events import Event, TurnSaved
from shared.replies import Generate, Generated, ModelsReply
from shared.statements import speaks_of_oneself

log = logging.getLogger(__name__)
NO_MODEL: Final = "extractive"
"""The engine that generates nothing of its own."""
_LOOK_AGAIN_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 30.0
"""For an engine that is never idle: then one turn is read beside the others."""
_MOST_ATTEMPTS: Final = 5
"""Then what the patterns find has to do."""


class Reader(Protocol):
    """The engine, as far as reading needs it. Raises Transient while there is none."""

    async def generate(self, request: Generate, stopping: Stopping) -> Generated: ...

    async def models(self) -> ModelsReply: ...


class Reflector:
    """Makes `memory.extracted` of `turn.saved`."""

    workers: Final = 4
    """Turns in hand; one of them at most is with the engine."""

    def __init__(self, reader: Reader, *, look_again_seconds: float = _LOOK_AGAIN_SECONDS) -> None:
        self._reader = reader
        self._look_again = look_again_seconds
        self._reading = asyncio.Lock()

    async def on_turn_saved(self, turn: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        """The same turn again says the same again. Raises Transient while the engine is away."""
        if not speaks_of_oneself(turn.input):
            return []
        plain = by_patterns(turn)
        try:
            return joined(plain, by_engine(turn, await self._read(turn)))
        except Refused as refusal:
            log.warning("turn %d is read by patterns alone: %s", turn.turn_number, refusal)
        except Transient:
            if delivery.attempt < _MOST_ATTEMPTS:
                raise
            log.warning("turn %d is read by patterns alone: no engine answers", turn.turn_number)
        return plain

    async def _read(self, turn: TurnSaved) -> str:
        """What a generative engine answers; nothing where the engine is none."""
        if (await self._reader.models()).engine == NO_MODEL:
            return ""
        async with self._reading:
            await self._until_idle()
            generated = await self._reader.generate(question_about(turn), Stopping())
        return generated.text

    async def _until_idle(self) -> None:
        waited = 0.0
        while waited < _LONGEST_WAIT_SECONDS:
            engine = await self._reader.models()
            if engine.running + engine.waiting == 0:
                return
            await asyncio.sleep(self._look_again)
            waited += self._look_again
