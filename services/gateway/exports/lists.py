"""What is stored of a user, list by list, each asked for a page at a time."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final

import msgspec

from services.gateway.asking.ports import Ask
from services.gateway.files.transfer import all_files
from services.gateway.memory.pages import view_of_page
from shared.contract.derivation import derive
from shared.contract.requests import (
    FileInfo,
    HeldMessage,
    ListHeldSessions,
    ListMemories,
    ListMessages,
    ListResearch,
    ListTurns,
    MemoryFilter,
)

_PAGE: Final = 100


class Counts(msgspec.Struct):
    messages: int = 0
    memories: int = 0
    research: int = 0
    files: int = 0
    turns: int = 0
    sessions: int = 0
    """Those that something is set for."""
    folders: int = 0
    documents: int = 0


class _Line(msgspec.Struct, kw_only=True):
    """A line that POST /v1/imports takes."""

    user: str
    session_id: str
    message_id: str
    speaker: str
    text: str
    at: datetime


class Lists:
    """The lists of one user. `all` may be read once, and is counted as it is read."""

    def __init__(self, ask: Ask, user: str) -> None:
        self._ask = ask
        self._user = user
        self.counts = Counts()
        self.files: list[FileInfo] = []
        """Those that were listed."""

    def all(self) -> Iterable[tuple[str, AsyncIterator[list[msgspec.Struct]]]]:
        return (
            ("messages", self._messages()),
            ("memories", self._memories()),
            ("research", self._research()),
            ("files", self._files()),
            ("turns", self._turns()),
            ("sessions", self._sessions()),
        )

    async def _messages(self) -> AsyncIterator[list[msgspec.Struct]]:
        request: ListMessages | None = ListMessages(user=self._user)
        while request is not None:
            reply = await self._ask(request)
            self.counts.messages += len(reply.messages)
            yield [self._line(message) for message in reply.messages]
            request = self._after(reply.messages[-1]) if reply.more else None

    def _after(self, last: HeldMessage) -> ListMessages:
        return ListMessages(user=self._user, after_session=last.session_id, after_ordinal=last.ordinal)

    def _line(self, message: HeldMessage) -> _Line:
        return derive(_Line, message, user=self._user)

    async def _memories(self) -> AsyncIterator[list[msgspec.Struct]]:
        cursor, where = None, MemoryFilter(with_history=True)
        while True:
            reply = await self._ask(ListMemories(user=self._user, where=where, limit=_PAGE, cursor=cursor))
            self.counts.memories += len(reply.memories)
            yield list(reply.memories)
            if (cursor := reply.next_cursor) is None:
                return

    async def _research(self) -> AsyncIterator[list[msgspec.Struct]]:
        after: str | None = ""
        while after is not None:
            reply = await self._ask(ListResearch(user=self._user, after=after))
            self.counts.research += len(reply.pages)
            yield [view_of_page(page) for page in reply.pages]
            after = reply.pages[-1].research_id if reply.more else None

    async def _files(self) -> AsyncIterator[list[msgspec.Struct]]:
        async for page in all_files(self._ask, self._user):
            self.files += page
            yield list(page)

    async def _turns(self) -> AsyncIterator[list[msgspec.Struct]]:
        before = None
        while True:
            reply = await self._ask(ListTurns(user=self._user, before=before, limit=_PAGE))
            self.counts.turns += len(reply.turns)
            yield list(reply.turns)
            if (before := reply.next_cursor) is None:
                return

    async def _sessions(self) -> AsyncIterator[list[msgspec.Struct]]:
        after: str | None = ""
        while after is not None:
            reply = await self._ask(ListHeldSessions(user=self._user, after=after))
            self.counts.sessions += len(reply.sessions)
            yield list(reply.sessions)
            after = reply.sessions[-1].session_id if reply.more else None
