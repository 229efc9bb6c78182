"""The embedding model alone: the baseline of everything that embeds.

`python -m bench.index.embedder` is a process with nothing in it but the model that the indexer loads, in one
thread. `EmbedderAlone` starts one for each core, and asks them with one line of JSON each way.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter, process_time

import msgspec

from bench.running.parts import bare_environment, end
from services.indexer.app.embedding import load_model
from services.indexer.settings import IndexerSettings
from shared.process.settings import load

BATCH_TEXTS = 8
LEAST_TEXTS_PER_SECOND = 40.0
"""Of one core, for texts of some 35 word pieces. The slowest machine so far gave 45 with torch."""
LEAST_SHARE = 0.7
"""Of its core that a process has to get."""
_SECONDS = 300.0


class Took(msgspec.Struct, frozen=True):
    """What one process needed for its texts."""

    texts: int
    seconds: float
    processor_seconds: float


class EmbedderAlone:
    """The processes, while they run."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._processes = processes
        self._took: list[Took] = []

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["EmbedderAlone"]:
        async with AsyncExitStack() as stack:
            processes = [_started() for _ in range(os.cpu_count() or 1)]
            for process in processes:
                stack.push_async_callback(end, process)
            alone = cls(processes)
            warm = ["Warm the model up with a sentence of some ten words."] * BATCH_TEXTS * len(processes)
            await alone.seconds(warm)
            alone._took.clear()
            yield alone

    @property
    def collapsed(self) -> bool:
        """True where other programs took its cores, or it was slower than can be. Then it is no baseline."""
        return has_collapsed(self._took)

    async def seconds(self, texts: Sequence[str]) -> float:
        """Seconds until the last process has embedded its share of these texts."""
        # As favourable as can be: sorted over all texts at once, so that hardly any padding is computed.
        ordered = sorted(texts, key=len)
        batches = [ordered[begin : begin + BATCH_TEXTS] for begin in range(0, len(ordered), BATCH_TEXTS)]
        shares = [batches[number :: len(self._processes)] for number in range(len(self._processes))]
        pairs = [(one, share) for one, share in zip(self._processes, shares, strict=True) if share]
        async with asyncio.timeout(_SECONDS):
            took = await asyncio.gather(*(asyncio.to_thread(_ask, one, share) for one, share in pairs))
        self._took += took
        return max(one.seconds for one in took)


def has_collapsed(took: Sequence[Took]) -> bool:
    processor_seconds = sum(one.processor_seconds for one in took)
    texts, seconds = sum(one.texts for one in took), sum(one.seconds for one in took)
    return processor_seconds < LEAST_SHARE * seconds or texts < LEAST_TEXTS_PER_SECOND * processor_seconds


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.index.embedder"],
        env=bare_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ask(process: subprocess.Popen[bytes], batches: Sequence[Sequence[str]]) -> Took:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(batches) + b"\n")
    process.stdin.flush()
    return msgspec.json.decode(process.stdout.readline(), type=Took)


def main() -> None:
    settings = load(IndexerSettings)
    model = load_model(settings, settings.embedding_model, threads=1)
    for line in sys.stdin.buffer:
        batches = msgspec.json.decode(line, type=list[list[str]])
        start, processor_start = perf_counter(), process_time()
        for texts in batches:
            model.encode(texts)
        took = Took(sum(map(len, batches)), perf_counter() - start, process_time() - processor_start)
        sys.stdout.buffer.write(msgspec.json.encode(took) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
