"""A generation: an embedding model and the collections of points that it has filled.

Vectors of two models cannot be compared, so each model has collections of its own.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import accumulate, chain
from uuid import UUID

import numpy

from services.indexer.embedding.embedder import Embedder
from services.indexer.passages.index import PassageIndex
from services.indexer.passages.passage import Passage, Run, Vectors, near_vectors
from shared.contract.requests import Kind


class Generation:
    """Writes the points of passages."""

    def __init__(self, name: str, embedder: Embedder, indexes: Mapping[Kind, PassageIndex]) -> None:
        self.name = name
        self.embedder = embedder
        self.indexes = indexes

    @property
    def live(self) -> "Generation":
        """The generation that answers. A search takes it once, so its model and its collections fit."""
        return self

    async def write(
        self,
        kind: Kind,
        runs: Sequence[Run],
        *,
        anew: Set[UUID],
        missing: Set[UUID] = frozenset(),
        computed: Mapping[str, Vectors] | None = None,
    ) -> None:
        """Writes the points of the messages `anew`, of those of `missing` that have none here, and of their
        neighbours, whose second vectors have changed. The other passages only lend their words and vectors.

        `computed`: vectors of texts, by this model.
        """
        passages = list(chain(*runs))
        if not passages:
            return
        index = self.indexes[kind]
        known = await index.vectors([p.id for p in passages if p.message.point_id not in anew])
        chosen = [
            [p.message.point_id in anew or (p.message.point_id in missing and p.id not in known) for p in run]
            for run in runs
        ]
        changed = [i for i, is_changed in enumerate(chain(*map(with_neighbours, chosen))) if is_changed]
        if not changed:
            return
        vectors = await self._vectors(passages, known, computed or {})
        near = numpy.concatenate([near_vectors(part) for part in numpy.split(vectors, _borders(runs))])
        await index.upsert([passages[i] for i in changed], vectors[changed], near[changed])

    async def _vectors(
        self, passages: Sequence[Passage], known: Mapping[UUID, Vectors], computed: Mapping[str, Vectors]
    ) -> Vectors:
        """The index has the vectors of older passages; the model computes the others."""
        vectors = dict(known)
        unknown = [passage for passage in passages if passage.id not in known]
        new = [passage for passage in unknown if passage.text not in computed]
        fresh = dict(zip([p.id for p in new], await self.embedder.embed([p.text for p in new]), strict=True))
        for passage in unknown:
            vectors[passage.id] = fresh[passage.id] if passage.id in fresh else computed[passage.text]
        return numpy.stack([vectors[passage.id] for passage in passages])


def with_neighbours(chosen: Sequence[bool]) -> list[bool]:
    """Chooses also the passages right before and after a chosen one."""
    neighbours = zip([False, *chosen[:-1]], [*chosen[1:], False], strict=True)
    return [own or before or after for own, (before, after) in zip(chosen, neighbours, strict=True)]


def _borders(runs: Sequence[Run]) -> list[int]:
    return list(accumulate(len(run) for run in runs[:-1]))
