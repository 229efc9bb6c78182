"""Answers requests for the vectors of texts."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy

from services.indexer.embedding.embedder import Embedder
from services.indexer.passages.parts import parts_of
from services.indexer.passages.passage import Vectors
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.requests import MOST_CHARACTERS, Embed, Embedded


class Embeddings:
    def __init__(self, model: str, load: Callable[[], Awaitable[Embedder]]) -> None:
        """`load` returns the embedder of the model, at once where it is loaded."""
        self._model = model
        self._load = load

    @endpoint
    async def embed(self, request: Embed) -> Embedded:
        self._check(request)
        embedder = await self._load()
        # In threads: both take some milliseconds a page, and the event loop has other work.
        parts = await asyncio.to_thread(lambda: [list(parts_of(text)) for text in request.texts])
        every = [part for own in parts for part in own]
        tokens = await asyncio.to_thread(embedder.count_tokens, every)
        vectors, begin = await embedder.embed(every), 0
        means: list[bytes] = []
        for own in parts:
            means.append(_mean(vectors[begin : begin + len(own)]))
            begin += len(own)
        return Embedded(model=self._model, dimension=embedder.dimension, vectors=means, tokens=tokens)

    def _check(self, request: Embed) -> None:
        if request.model != self._model:
            raise Refused(
                404,
                f"there is no embedding model {request.model!r}; EMBEDDING_MODEL is {self._model!r}",
                "model",
            )
        characters = sum(map(len, request.texts))
        if characters > MOST_CHARACTERS:
            raise Refused(
                422, f"the texts have {characters} characters; at most {MOST_CHARACTERS} are taken", "texts"
            )
        if not all(map(str.strip, request.texts)):
            raise Refused(422, "a text is empty; leave it out", "texts")


def _mean(vectors: Vectors) -> bytes:
    """Of unit vectors, shape (parts, dimension), as a unit vector."""
    mean = vectors.mean(axis=0)
    length = float(numpy.linalg.norm(mean))
    return bytes((mean / length if length else mean).astype("<f4").tobytes())
