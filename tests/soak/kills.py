"""Kills processes at random, no part so often that the launcher gives it up."""

import asyncio
from collections import Counter
from random import Random
from time import monotonic

from tests.soak.audit import Finding
from tests.soak.installation import Installation
from tests.soak.plan import Options

MOST_IN_WINDOW = 3
"""The launcher ends the stack at the fifth death of one part within 60 s (RESTART_LIMIT)."""
WINDOW_SECONDS = 65.0
_PAUSE_SECONDS = 0.25


class Killer:
    def __init__(self, options: Options, installation: Installation) -> None:
        self._options = options
        self._installation = installation
        self._chance = Random(f"{options.seed}/parts")
        self._times: list[tuple[float, str]] = []
        self.last = ""
        self.figures: list[tuple[str, str]] = []
        self.findings: list[Finding] = []

    @property
    def counts(self) -> Counter[str]:
        return Counter(part for _, part in self._times)

    async def run(self) -> None:
        """A part that is down by itself or was killed too often lately is passed over, never counted."""
        for pause in self._options.kill_pauses():
            await asyncio.sleep(pause)
            while not self._kill_one():  # noqa: ASYNC110  # no event says that a part is back
                await asyncio.sleep(_PAUSE_SECONDS)

    def _kill_one(self) -> bool:
        named = self._options.parts
        parts = [part for part in self._installation.parts if not named or part in named]
        for part in self._chance.sample(parts, len(parts)):
            if may_kill(part, self._times, monotonic()) and self._installation.kill(part):
                self._times.append((monotonic(), part))
                self.last = part
                return True
        return False


def may_kill(part: str, times: list[tuple[float, str]], now: float) -> bool:
    return sum(killed == part and now - at < WINDOW_SECONDS for at, killed in times) < MOST_IN_WINDOW
