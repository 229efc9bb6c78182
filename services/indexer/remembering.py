"""Takes messages in: their rows, then their points, with the points of those beside them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence, Set
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import accumulate, chain
from uuid import UUID
from weakref import WeakValueDictionary

import numpy

from services.indexer.domain.messages import Message, StoredMessage
from services.indexer.domain.passages import Passage, near_vectors, passages_of, runs_of
from services.indexer.generation import Generation
from services.indexer.ports import Added, MessageTable, Selection, Vectors


class Remembering:
    """Messages that were said, however they came."""

    def __init__(self, table: MessageTable, generation: Generation) -> None:
        self._table = table
        self._generation = generation
        self._sessions = _SessionLocks()

    async def add(self, messages: Sequence[Message]) -> Added:
        """Search finds all of them when it returns; what was there already changes nothing."""
        async with self._sessions.held({(message.user, message.session_id) for message in messages}):
            added = await self._table.add(messages)
            if added.changed:  # A shorter text may have fewer parts.
                await self._remove([m for m in messages if m.point_id in set(added.changed)])
            await self._index({message.point_id for message in messages})
        return added

    async def index(self, messages: Sequence[StoredMessage]) -> None:
        """Writes the points of those that have none yet."""
        async with self._sessions.held({(message.user, message.session_id) for message in messages}):
            await self._index({message.point_id for message in messages})

    async def _index(self, ids: Set[UUID]) -> None:
        messages = await self._table.unindexed(list(ids))
        if not messages:
            return
        runs = [passages_of(run) for run in runs_of(messages)]
        vectors = await self._vectors([passage for run in runs for passage in run])
        near = numpy.concatenate([near_vectors(part) for part in numpy.split(vectors, _borders(runs))])
        new = [[not p.message.indexed and p.message.point_id in ids for p in run] for run in runs]
        changed = [i for i, is_changed in enumerate(chain(*map(with_neighbours, new))) if is_changed]
        passages = list(chain(*runs))
        await self._generation.indexes["turn"].upsert(
            [passages[i] for i in changed], vectors[changed], near[changed]
        )
        await self._table.mark_indexed([m.point_id for m in messages if m.point_id in ids])

    async def _remove(self, messages: Sequence[Message]) -> None:
        index = self._generation.indexes["turn"]
        for user in {message.user for message in messages}:
            own = [message.point_id for message in messages if message.user == user]
            await index.remove(Selection(user=user, messages=own))

    async def _vectors(self, passages: Sequence[Passage]) -> Vectors:
        """The index knows those of passages that were indexed before; the model computes the others."""
        embedder = self._generation.embedder
        indexed = [passage.id for passage in passages if passage.message.indexed]
        known = await self._generation.indexes["turn"].vectors(indexed) if indexed else {}
        missing = [passage for passage in passages if passage.id not in known]
        computed = await embedder.embed([passage.text for passage in missing])
        known |= {passage.id: vector for passage, vector in zip(missing, computed, strict=True)}
        return numpy.stack([known[passage.id] for passage in passages])


def with_neighbours(chosen: Sequence[bool]) -> list[bool]:
    """Also those right beside a chosen one: what stands beside them is another than before."""
    beside = zip([False, *chosen[:-1]], [*chosen[1:], False], strict=True)
    return [own or before or after for own, (before, after) in zip(chosen, beside, strict=True)]


def _borders(runs: Sequence[Sequence[Passage]]) -> list[int]:
    return list(accumulate(len(run) for run in runs[:-1]))


class _SessionLocks:
    """One writer a session, so that no point is written with what stood beside its message before."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def held(self, sessions: Iterable[tuple[str, str]]) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for session in sorted(sessions):  # In one order: two writers never wait in a circle.
                await stack.enter_async_context(self._locks.setdefault(session, asyncio.Lock()))
            yield
