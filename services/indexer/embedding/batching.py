"""Calls an embedding model in threads, with many texts a call. Questions go before texts to be stored."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import msgspec
import numpy

from services.indexer.embedding.model import TextModel
from services.indexer.passages.passage import Vectors
from shared.process import metrics


class _Waiting(msgspec.Struct, frozen=True):
    text: str
    vector: asyncio.Future[Vectors]


class BatchingEmbedder:
    """Embedder over a model.

    Each of `threads` workers computes on one core, at most `batch_texts` texts in a call. Two calls at a time
    cost less than one call on two cores, whose threads wait for each other at every step. Questions go before
    all stored texts, so a question waits for one call at most.
    """

    def __init__(self, model: TextModel, *, threads: int, batch_texts: int, cache_entries: int) -> None:
        self.dimension = model.dimension
        self.engine = model.engine
        self._model = model
        self._idle = self._workers = threads
        self._batch_texts = batch_texts
        self._questions: deque[_Waiting] = deque()
        self._stored: deque[_Waiting] = deque()
        self._something_waits = asyncio.Event()
        self._cache: OrderedDict[str, Vectors] = OrderedDict()
        self._cache_entries = cache_entries
        self._threads = ThreadPoolExecutor(threads, "embedder")

    @classmethod
    @asynccontextmanager
    async def running(
        cls, model: TextModel, *, threads: int, batch_texts: int, cache_entries: int
    ) -> AsyncIterator["BatchingEmbedder"]:
        embedder = cls(model, threads=threads, batch_texts=batch_texts, cache_entries=cache_entries)
        workers = [asyncio.create_task(embedder._work()) for _ in range(embedder._workers)]
        try:
            yield embedder
        finally:
            for worker in workers:
                worker.cancel()
            embedder._threads.shutdown()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = numpy.empty((len(texts), self.dimension), dtype=numpy.float32)
        # The text of a turn was just asked as a question, and its vector is in the cache.
        # The others are sorted, since the longest text of a call decides what each of them costs.
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

    def familiarity(self, text: str) -> float:
        return self._model.familiarity(text)

    def count_tokens(self, texts: Sequence[str]) -> int:
        return self._model.count_tokens(texts)

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
            wanted = [entry for entry in taken if not entry.vector.done()]  # The others were cancelled.
            if wanted:
                self._idle -= 1
                await self._answer(kind, wanted)
                self._idle += 1

    async def _answer(self, kind: str, wanted: list[_Waiting]) -> None:
        texts = [entry.text for entry in wanted]
        try:
            with metrics.timed(metrics.embed_seconds.labels(kind)):
                vectors = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._model.encode, texts
                )
        except Exception as error:
            for entry in wanted:
                if not entry.vector.done():
                    entry.vector.set_exception(error)
            return
        for entry, vector in zip(wanted, vectors, strict=True):
            if not entry.vector.done():
                entry.vector.set_result(vector)
