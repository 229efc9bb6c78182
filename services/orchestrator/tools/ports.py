"""What tools need of the rest of the system, in their own words."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from services.orchestrator.tools.tool import Caller
from shared.memories import Memory, Statement
from shared.replies import Document, Hit, Kind, TurnRow

Clock = Callable[[], datetime]
"""Now, with a time zone."""


class MemorySearch(Protocol):
    """What is remembered. Raises Transient while it cannot be asked."""

    async def search(self, user: str, query: str, kind: Kind, *, limit: int) -> list[Hit]:
        """Best first."""
        ...


class MemorySaving(Protocol):
    async def save(self, user: str, statement: Statement, memory_id: str) -> Memory:
        """The same id again is the same statement. Raises Refused and Transient."""
        ...


class SessionTurns(Protocol):
    async def last_turns(self, user: str, session_id: str, *, limit: int) -> Sequence[TurnRow]:
        """The session's latest, oldest first. Raises Transient."""
        ...


class TurnFiles(Protocol):
    """The documents of a user's ended turns. Raises Refused (404) for a turn of somebody else, too."""

    async def names(self, user: str, turn_id: str) -> list[str]: ...

    async def read(self, user: str, turn_id: str, name: str) -> Document: ...


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was read on the web."""

    url: str
    """Where it was in the end, after redirects."""
    domain: str
    """Its host, with the port where that is another than usual."""
    title: str
    text: str
    published_at: datetime | None
    fetched_at: datetime
    expires_at: datetime
    """Until then it need not be read again, by its own word and within bounds."""


class Unreadable(Exception):
    """A page cannot be read; `reason` says why, and what would work."""

    def __init__(self, domain: str, reason: str, brief: str) -> None:
        """`domain` is empty where the site itself is not to blame; `brief` is a few words like `timeout`."""
        super().__init__(reason)
        self.domain = domain
        self.reason = reason
        self.brief = brief


class Web(Protocol):
    async def fetch(self, url: str) -> Page:
        """Raises Unreadable."""
        ...


class ResearchLog(Protocol):
    """What was read before, and what could not be. Never raises: without it pages are read all the same."""

    async def known(self, user: str, url: str) -> Page | None:
        """What this user read at this very address and what still holds."""
        ...

    async def read(self, page: Page, caller: Caller, *, about: str) -> None:
        """`about` is what was looked for there."""
        ...

    async def failed(self, domain: str, brief: str, caller: Caller) -> None:
        """`brief` is a few words, and none of them the user's."""
        ...
