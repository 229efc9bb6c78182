"""What tools need of the rest of the system, and what phases need of tools."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from services.orchestrator.tools.tool import Caller, ToolResult
from shared.contract.memories import Memory, Statement
from shared.contract.requests import Document, Hit, Kind, TurnRow

Clock = Callable[[], datetime]
"""Now, with a time zone."""


class MemorySearch(Protocol):
    """Searches memory. Raises Transient while it cannot be asked."""

    async def search(self, user: str, query: str, kind: Kind, *, limit: int) -> list[Hit]:
        """Best first."""
        ...


class MemorySaving(Protocol):
    async def save(self, user: str, statement: Statement, memory_id: str) -> Memory:
        """Saving the same id again changes nothing. Raises Refused and Transient."""
        ...


class SessionTurns(Protocol):
    async def last_turns(self, user: str, session_id: str, *, limit: int) -> Sequence[TurnRow]:
        """The session's latest, oldest first. Raises Transient."""
        ...


class TurnFiles(Protocol):
    """The documents of a user's ended turns. Raises Refused (404), also for a turn of another user."""

    async def names(self, user: str, turn_id: str) -> list[str]: ...

    async def read(self, user: str, turn_id: str, name: str) -> Document: ...


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page that was read on the web."""

    url: str
    """Its address after redirects."""
    domain: str
    """Its host; with the port where that is not the usual one."""
    title: str
    text: str
    published_at: datetime | None
    fetched_at: datetime
    expires_at: datetime
    """By its headers, within bounds. Until then it need not be read again."""


class Unreadable(Exception):
    """`reason` says why a page cannot be read, and what would work."""

    def __init__(self, domain: str, reason: str, brief: str) -> None:
        """`domain` is empty where the site did nothing wrong. `brief` is a few words like `timeout`."""
        super().__init__(reason)
        self.domain = domain
        self.reason = reason
        self.brief = brief


class Web(Protocol):
    async def fetch(self, url: str) -> Page:
        """Raises Unreadable."""
        ...


class ResearchLog(Protocol):
    """Remembers which pages were read, and which could not be. Never raises: pages are read without it
    too."""

    async def known(self, user: str, url: str) -> Page | None:
        """The page that this user read at this address; None where it has expired."""
        ...

    async def read(self, page: Page, caller: Caller, *, about: str) -> None:
        """`about` is what the page was read for."""
        ...

    async def failed(self, domain: str, brief: str, caller: Caller) -> None:
        """`brief` is a few words that contain nothing of the user's words."""
        ...


class Tools(Protocol):
    """The tools of this process, by name."""

    def allowed(self, patterns: Sequence[str]) -> list[str]:
        """The names that fit one of the names or patterns (`memory.*`)."""
        ...

    def described(self, names: Sequence[str]) -> str:
        """Name, description and arguments of each, for a model."""
        ...

    def schemas(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By name the JSON Schema of the arguments."""
        ...

    def needs_approval(self, name: str) -> bool:
        """Whether a person has to allow each call."""
        ...

    async def run(self, name: str, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """Every failure is in the result."""
        ...
