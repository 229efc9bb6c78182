"""How soon a reader that comes back has its next event: from the opening of a connection for
`GET /v1/turns/{id}/events` with `Last-Event-ID` in the middle of the turn to the first event's bytes.
"""

import random
from collections.abc import Sequence
from statistics import median

from bench.running.figures import Figure, percentile, plain
from bench.running.run import Run
from bench.turns.reader import Reader
from bench.turns.talking import Talking
from shared.bus.streams import LIVE
from shared.contract.events import live_subject

DELTAS, MANY_DELTAS = 200, 2_000
_ENDLESS = 1_000_000
_WARM = 10
_FIRST, _LAST = 50, 150
"""Last-Event-IDs: in the middle of what has been said."""


async def measure(run: Run) -> list[Figure]:
    resumes, turns = (20, 2) if run.quick else (300, 20)
    figures: list[Figure] = []
    async with Talking.started(run) as talking:
        bench = _Resumes(talking)
        figures += _figures("running", await bench.while_it_runs(DELTAS, resumes))
        if not run.quick:
            figures += _figures("running_long", await bench.while_it_runs(MANY_DELTAS, resumes))
        ended = await bench.ended(turns)
        figures += _figures("ended", await bench.of_ended(ended, resumes))
        await bench.purge(ended)
        figures += _figures("purged", await bench.of_ended(ended, resumes))
    return figures


def _figures(name: str, seconds: list[float]) -> list[Figure]:
    return [
        plain(f"resume.{name}_p50", 1000 * median(seconds), "ms"),
        plain(
            f"resume.{name}_p99",
            1000 * percentile(seconds, 0.99),
            "ms",
            ours=f"worst {1000 * max(seconds):.3g} ms",
        ),
    ]


class _Resumes:
    def __init__(self, talking: Talking) -> None:
        self._talking = talking
        self._port = talking.installation.gateway_port
        self._random = random.Random(10)

    async def while_it_runs(self, deltas: int, resumes: int) -> list[float]:
        """One turn that goes on talking; readers come one after the other."""
        self._talking.engine.tokens = _ENDLESS
        turn_id, chat = await self._talking.begin()
        await chat.until_sent(deltas)
        middle = deltas - DELTAS
        seconds = [await self._one(turn_id, middle, whole=None) for _ in range(resumes + _WARM)]
        await self._talking.cancel(turn_id)
        await chat.idle
        return seconds[_WARM:]

    async def ended(self, turns: int) -> dict[str, int]:
        """Turns of so many deltas, by id, each with the index of its last event."""
        self._talking.engine.tokens = DELTAS
        last: dict[str, int] = {}
        for turn_id in [(await self._talking.begin())[0] for _ in range(turns)]:
            reader = await Reader.opened(self._port, turn_id)
            await reader.until_ended()
            last[turn_id] = reader.check(0) - 1
            reader.close()
        return last

    async def of_ended(self, last: dict[str, int], resumes: int) -> list[float]:
        ids: Sequence[str] = list(last)
        seconds = []
        for number in range(resumes + _WARM):
            turn_id = ids[number % len(ids)]
            seconds.append(await self._one(turn_id, 0, whole=last[turn_id]))
        return seconds[_WARM:]

    async def purge(self, turn_ids: dict[str, int]) -> None:
        """As if the quarter of an hour were over: what readers get then comes from the turns' records."""
        async with await self._talking.installation.bus("orchestrator") as client:
            for turn_id in turn_ids:
                await client.jetstream().purge_stream(str(LIVE.name), subject=live_subject(turn_id))
            state = (await client.jetstream().stream_info(str(LIVE.name), subjects_filter=">")).state
            if set(state.subjects or {}) & {live_subject(turn_id) for turn_id in turn_ids}:
                raise RuntimeError("the LIVE stream still holds events of these turns")

    async def _one(self, turn_id: str, middle: int, *, whole: int | None) -> float:
        """`whole`: the last event's index, up to which all is read and checked."""
        after = middle + self._random.randint(_FIRST, _LAST)
        reader = await Reader.opened(self._port, turn_id, after)
        try:
            seconds = await reader.first_seconds()
            if whole is not None:
                await reader.until_ended()
            reader.check(after + 1, last=whole)
            return seconds
        finally:
            reader.close()
