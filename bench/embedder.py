"""The embedding model alone: what everything that embeds is held against.

As a module (`python -m bench.embedder`) it is a process with nothing in it but the model that the indexer
loads, with the indexer's own settings; `EmbedderAlone` starts it and asks it. One line of JSON each way.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

import msgspec

from bench.parts import bare_environment, end
from services.indexer.adapters.sentence_transformers import _load_model
from services.indexer.settings import IndexerSettings
from shared.settings import load

BATCH_TEXTS = 32
_SECONDS = 300.0


class Task(msgspec.Struct):
    texts: list[str]
    batch: int


class EmbedderAlone:
    """The process, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["EmbedderAlone"]:
        process = subprocess.Popen(  # noqa: ASYNC220  # it only forks
            [sys.executable, "-m", "bench.embedder"],
            env=bare_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            alone = cls(process)
            await alone.seconds(["Warm the model up with a sentence of some ten words."] * BATCH_TEXTS)
            yield alone
        finally:
            await end(process)

    async def seconds(self, texts: Sequence[str], *, batch: int = BATCH_TEXTS) -> list[float]:
        """Seconds of each call of the model, for these texts in batches of like length."""
        async with asyncio.timeout(_SECONDS):
            return await asyncio.to_thread(self._ask, Task(list(texts), batch))

    def _ask(self, task: Task) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(task) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=list[float])


def main() -> None:
    defaults = load(IndexerSettings)
    model = _load_model(defaults.embedding_model, defaults.embedding_dtype)
    for line in sys.stdin.buffer:
        task = msgspec.json.decode(line, type=Task)
        # As favourable as can be: sorted over all texts at once, so that hardly any padding is computed.
        texts = sorted(task.texts, key=len) if task.batch > 1 else task.texts
        seconds = []
        for begin in range(0, len(texts), task.batch):
            start = perf_counter()
            model.encode(
                texts[begin : begin + task.batch],
                batch_size=task.batch,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
            seconds.append(perf_counter() - start)
        sys.stdout.buffer.write(msgspec.json.encode(seconds) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
