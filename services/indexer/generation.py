"""The collections that one embedding model has filled, and the model; two such while one is being built."""

from collections.abc import Mapping, Sequence, Set
from itertools import accumulate, chain
from uuid import UUID

import numpy

from services.indexer.domain.passages import Passage, near_vectors
from services.indexer.domain.ranking import Candidate
from services.indexer.ports import Embedder, IndexQuery, PassageIndex, Selection, Vectors
from shared.replies import Kind

Run = Sequence[Passage]
"""Consecutive passages of one session."""


class Generation:
    """Vectors of two models cannot be compared: each model has collections of its own."""

    def __init__(self, name: str, embedder: Embedder, indexes: Mapping[Kind, PassageIndex]) -> None:
        self.name = name
        self.embedder = embedder
        self.indexes = indexes

    @property
    def live(self) -> "Generation":
        """One and the same while a question is answered: its model, and what it has filled."""
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
        """Writes the points of the messages `anew`, of those of `missing` that have none here, and of those
        right beside one of them. The other passages only say what stands beside.

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
        """The index knows those of passages that were written before; the model computes the others."""
        vectors = dict(known)
        unknown = [passage for passage in passages if passage.id not in known]
        new = [passage for passage in unknown if passage.text not in computed]
        fresh = dict(zip([p.id for p in new], await self.embedder.embed([p.text for p in new]), strict=True))
        for passage in unknown:
            vectors[passage.id] = fresh[passage.id] if passage.id in fresh else computed[passage.text]
        return numpy.stack([vectors[passage.id] for passage in passages])


def with_neighbours(chosen: Sequence[bool]) -> list[bool]:
    """Also those right beside a chosen one: what stands beside them is another than before."""
    beside = zip([False, *chosen[:-1]], [*chosen[1:], False], strict=True)
    return [own or before or after for own, (before, after) in zip(chosen, beside, strict=True)]


def _borders(runs: Sequence[Run]) -> list[int]:
    return list(accumulate(len(run) for run in runs[:-1]))


class Generations(Generation):
    """The live one, which answers, and beside it the one that is being built: what is written, is in both."""

    def __init__(self, live: Generation) -> None:
        super().__init__(
            live.name, _LiveEmbedder(self), {kind: _BothIndexes(self, kind) for kind in live.indexes}
        )
        self._live = live
        self.building: Generation | None = None

    @property
    def live(self) -> Generation:
        return self._live

    def switch(self, live: Generation) -> None:
        """From here on `live` answers."""
        self._live, self.name = live, live.name
        if self.building is live:
            self.building = None

    @property
    def both(self) -> list[Generation]:
        """The live one last: what it has, the other has as well."""
        return [self._live] if self.building is None else [self.building, self._live]

    def all_indexes(self, kind: Kind) -> list[PassageIndex]:
        """A collection that both have in common comes once."""
        return list({id(one.indexes[kind]): one.indexes[kind] for one in self.both}.values())

    async def check(self) -> None:
        """Raises Transient where Qdrant does not answer."""
        await self._live.indexes["turn"].count()

    async def write(
        self,
        kind: Kind,
        runs: Sequence[Run],
        *,
        anew: Set[UUID],
        missing: Set[UUID] = frozenset(),
        computed: Mapping[str, Vectors] | None = None,
    ) -> None:
        owners = {id(one.indexes[kind]): one for one in self.both}
        for one in owners.values():
            vectors = computed if one is self._live else None
            await one.write(kind, runs, anew=anew, missing=missing, computed=vectors)


class _LiveEmbedder:
    """Embedder of the live generation; what is forgotten, all forget."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    @property
    def dimension(self) -> int:
        return self._generations.live.embedder.dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await self._generations.live.embedder.embed(texts)

    async def embed_query(self, text: str) -> Vectors:
        return await self._generations.live.embedder.embed_query(text)

    def forget_queries(self) -> None:
        for one in self._generations.both:
            one.embedder.forget_queries()


class _BothIndexes:
    """PassageIndex that reads from the live collection, and removes from all of this kind."""

    def __init__(self, generations: Generations, kind: Kind) -> None:
        self._generations = generations
        self._kind = kind

    @property
    def _live(self) -> PassageIndex:
        return self._generations.live.indexes[self._kind]

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        """Into the live one: each has vectors of its own. `Generations.write` writes to all."""
        await self._live.upsert(passages, vectors, near)

    async def search(self, query: IndexQuery) -> list[Candidate]:
        return await self._live.search(query)

    async def remove(self, selection: Selection) -> None:
        for index in self._generations.all_indexes(self._kind):
            await index.remove(selection)

    async def drop(self, ids: Sequence[UUID]) -> None:
        for index in self._generations.all_indexes(self._kind):
            await index.drop(ids)

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        return await self._live.vectors(ids)

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        return await self._live.present(ids)

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        for index in self._generations.all_indexes(self._kind):
            await index.set_uses(uses)

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        return await self._live.messages(after, limit)

    async def count(self) -> int:
        return await self._live.count()

    async def compact(self) -> bool:
        return all([await index.compact() for index in self._generations.all_indexes(self._kind)])
