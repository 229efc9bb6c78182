"""Stores messages: their rows, then their points with the points of their neighbours."""

from collections.abc import Iterable, Sequence, Set
from contextlib import AbstractAsyncContextManager
from itertools import chain
from uuid import UUID

from services.indexer.generations.locks import Locks, of_session
from services.indexer.generations.writing import Generation
from services.indexer.messages.tables import Added, MessageTable
from services.indexer.passages.index import Selection
from services.indexer.passages.message import Message, StoredMessage
from services.indexer.passages.passage import Run, passages_of, runs_of


class MessageWriter:
    """Writes one session at a time, so no point is written with neighbours that have changed meanwhile."""

    def __init__(self, table: MessageTable, generation: Generation, locks: Locks) -> None:
        self._table = table
        self._generation = generation
        self._locks = locks

    async def add(self, messages: Sequence[Message]) -> Added:
        """Search finds all of them when this returns. A message that is there already changes nothing."""
        async with self._locks.hold(_sessions_of(messages)):
            ids = {message.point_id for message in messages}
            added = await self._table.add(messages)
            await self._index(ids, may_have_points=added.new < len(ids))
        return added

    async def add_rows(self, messages: Sequence[Message]) -> Added:
        """Search finds them once the mending has made their points."""
        async with self._locks.hold(_sessions_of(messages)):
            return await self._table.add(messages)

    async def index(self, messages: Sequence[StoredMessage]) -> None:
        """Writes the points of those that have none yet."""
        async with self._locks.hold(_sessions_of(messages)):
            await self._index({message.point_id for message in messages}, may_have_points=True)

    def lock_sessions(self, user: str, session_ids: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Waits for all that write points of these sessions, and keeps others from beginning."""
        return self._locks.hold([of_session(user, session_id) for session_id in session_ids])

    def lock(self, runs: Sequence[Run]) -> AbstractAsyncContextManager[None]:
        """Locks the sessions of these passages."""
        return self._locks.hold(_sessions_of(passage.message for passage in chain(*runs)))

    async def _index(self, ids: Set[UUID], *, may_have_points: bool) -> None:
        messages = await self._table.unindexed(list(ids))
        if not messages:
            return
        new = {m.point_id for m in messages if not m.indexed and m.point_id in ids}
        if may_have_points:  # Another text may have had more parts.
            await self._remove([m for m in messages if m.point_id in new])
        await self._generation.write("turn", [passages_of(run) for run in runs_of(messages)], anew=new)
        await self._table.mark_indexed([m.point_id for m in messages if m.point_id in ids])

    async def _remove(self, messages: Sequence[Message]) -> None:
        index = self._generation.indexes["turn"]
        for user in {message.user for message in messages}:
            own = [message.point_id for message in messages if message.user == user]
            await index.remove(Selection(user=user, messages=own))


def _sessions_of(messages: Iterable[Message]) -> set[str]:
    return {of_session(message.user, message.session_id) for message in messages}
