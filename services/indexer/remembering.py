"""Takes messages in: their rows, then their points, with the points of those beside them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence, Set
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import chain
from uuid import UUID
from weakref import WeakValueDictionary

from services.indexer.domain.messages import Message, StoredMessage
from services.indexer.domain.passages import passages_of, runs_of
from services.indexer.generation import Generation, Run
from services.indexer.ports import Added, MessageTable, Selection


class Remembering:
    """Messages that were said, however they came."""

    def __init__(self, table: MessageTable, generation: Generation) -> None:
        self._table = table
        self._generation = generation
        self._sessions = _SessionLocks()

    async def add(self, messages: Sequence[Message]) -> Added:
        """Search finds all of them when it returns; what was there already changes nothing."""
        async with self._sessions.held({(message.user, message.session_id) for message in messages}):
            ids = {message.point_id for message in messages}
            added = await self._table.add(messages)
            await self._index(ids, may_have_points=added.new < len(ids))
        return added

    async def add_rows(self, messages: Sequence[Message]) -> Added:
        """Search finds them once the mending has made their points."""
        async with self._sessions.held({(message.user, message.session_id) for message in messages}):
            return await self._table.add(messages)

    async def index(self, messages: Sequence[StoredMessage]) -> None:
        """Writes the points of those that have none yet."""
        async with self._sessions.held({(message.user, message.session_id) for message in messages}):
            await self._index({message.point_id for message in messages}, may_have_points=True)

    def held_sessions(self, user: str, session_ids: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Whoever wrote points of these sessions is done, and nobody else here begins."""
        return self._sessions.held({(user, session_id) for session_id in session_ids})

    def held(self, runs: Sequence[Run]) -> AbstractAsyncContextManager[None]:
        """Nobody else here writes points of their sessions."""
        messages = (passage.message for passage in chain(*runs))
        return self._sessions.held({(message.user, message.session_id) for message in messages})

    async def _index(self, ids: Set[UUID], *, may_have_points: bool) -> None:
        messages = await self._table.unindexed(list(ids))
        if not messages:
            return
        new = {m.point_id for m in messages if not m.indexed and m.point_id in ids}
        if may_have_points:  # Those of another text, which may have had more parts.
            await self._remove([m for m in messages if m.point_id in new])
        await self._generation.write("turn", [passages_of(run) for run in runs_of(messages)], anew=new)
        await self._table.mark_indexed([m.point_id for m in messages if m.point_id in ids])

    async def _remove(self, messages: Sequence[Message]) -> None:
        index = self._generation.indexes["turn"]
        for user in {message.user for message in messages}:
            own = [message.point_id for message in messages if message.user == user]
            await index.remove(Selection(user=user, messages=own))


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
