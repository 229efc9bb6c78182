"""The live generation, which answers, and the one that is being built. Both get every new point."""

from collections.abc import Mapping, Sequence, Set
from uuid import UUID

from services.indexer.generations.writing import Generation
from services.indexer.passages.index import Candidate, IndexQuery, PassageIndex, Selection
from services.indexer.passages.passage import Passage, Run, Vectors
from shared.contract.requests import Kind


class LiveGeneration(Generation):
    """Reads from the live generation, writes to both, and removes from both."""

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
        """From now on `live` answers."""
        self._live, self.name = live, live.name
        if self.building is live:
            self.building = None

    @property
    def both(self) -> list[Generation]:
        """The live one last: what it has, the other has too."""
        return [self._live] if self.building is None else [self.building, self._live]

    def all_indexes(self, kind: Kind) -> list[PassageIndex]:
        """A collection that both share comes once."""
        return list({id(one.indexes[kind]): one.indexes[kind] for one in self.both}.values())

    async def check(self) -> None:
        """Raises Transient where Qdrant does not answer."""
        await self._live.indexes["turn"].count(exact=False)

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
    """Embedder of the live generation. The caches of both are emptied together."""

    def __init__(self, generation: LiveGeneration) -> None:
        self._generation = generation

    @property
    def dimension(self) -> int:
        return self._generation.live.embedder.dimension

    @property
    def engine(self) -> str:
        return self._generation.live.embedder.engine

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await self._generation.live.embedder.embed(texts)

    async def embed_query(self, text: str) -> Vectors:
        return await self._generation.live.embedder.embed_query(text)

    def familiarity(self, text: str) -> float:
        return self._generation.live.embedder.familiarity(text)

    def count_tokens(self, texts: Sequence[str]) -> int:
        return self._generation.live.embedder.count_tokens(texts)

    def forget_queries(self) -> None:
        for one in self._generation.both:
            one.embedder.forget_queries()


class _BothIndexes:
    """PassageIndex that reads from the live collection and removes from all of this kind."""

    def __init__(self, generation: LiveGeneration, kind: Kind) -> None:
        self._generation = generation
        self._kind = kind

    @property
    def _live(self) -> PassageIndex:
        return self._generation.live.indexes[self._kind]

    @property
    def _all(self) -> list[PassageIndex]:
        return self._generation.all_indexes(self._kind)

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        """Into the live one, whose vectors these are. `LiveGeneration.write` writes to both."""
        await self._live.upsert(passages, vectors, near)

    async def search(self, query: IndexQuery) -> list[Candidate]:
        return await self._live.search(query)

    async def remove(self, selection: Selection) -> None:
        for index in self._all:
            await index.remove(selection)

    async def drop(self, ids: Sequence[UUID]) -> None:
        for index in self._all:
            await index.drop(ids)

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        return await self._live.vectors(ids)

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        return await self._live.present(ids)

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        for index in self._all:
            await index.set_uses(uses)

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        return await self._live.messages(after, limit)

    async def count(self, *, exact: bool = True) -> int:
        return await self._live.count(exact=exact)

    async def compact(self, *, needed: bool = True) -> bool:
        return all([await index.compact(needed=needed) for index in self._all])
