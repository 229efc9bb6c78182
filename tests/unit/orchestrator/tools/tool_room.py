"""The tools that Pandora brings along, with everything that they ask for kept in lists."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.orchestrator.tools.built_in.registry import built_in_tools
from services.orchestrator.tools.ports import Page, Unreadable
from services.orchestrator.tools.tool import Caller, ToolResult
from services.orchestrator.tools.toolbox import Toolbox
from shared.contract.errors import Refused, Transient
from shared.contract.memories import Memory, Statement
from shared.contract.requests import Document, Hit, Kind, TurnRow

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
CALLER = Caller(user="mira", session_id="s1", turn_id="t9", turn_number=9)


class ToolRoom:
    """Everything that the tools ask for, kept in lists."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.saved: list[tuple[str, Statement, str]] = []
        self.asked: list[tuple[str, str, Kind, int]] = []
        self.turns: list[TurnRow] = []
        self.documents: dict[tuple[str, str], dict[str, str]] = {}
        self.page: Page | Unreadable = Unreadable("", "there is no such page", "none")
        self.known_pages: dict[tuple[str, str], Page] = {}
        self.read_pages: list[tuple[Page, str]] = []
        self.failures: list[tuple[str, str]] = []
        self.away = False
        self.box = Toolbox(
            built_in_tools(
                clock=lambda: NOW,
                search=self,
                saving=self,
                session=self,
                files=_Files(self.documents),
                web=self,
                log=_Log(self),
            )
        )

    async def search(self, user: str, query: str, kind: Kind, *, limit: int) -> list[Hit]:
        if self.away:
            raise Transient("nobody answers index.search now")
        self.asked.append((user, query, kind, limit))
        return self.hits[:limit]

    async def save(self, user: str, statement: Statement, memory_id: str) -> Memory:
        self.saved.append((user, statement, memory_id))
        return Memory(
            memory_id=memory_id,
            user=user,
            text=statement.text,
            kind=statement.kind or "note",
            subject=statement.subject,
            attribute=statement.attribute,
            value=statement.value,
            confidence=0.8,
            stored_confidence=0.8,
            valid_from=NOW,
            valid_to=None,
            status="current",
            made_by="tool",
            evidence=[],
            last_confirmed_at=NOW,
        )

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> Sequence[TurnRow]:
        return self.turns[-limit:]

    async def fetch(self, url: str) -> Page:
        if isinstance(self.page, Unreadable):
            raise self.page
        return self.page

    async def run(self, name: str, /, **arguments: Any) -> ToolResult:
        return await self.box.run(name, arguments, CALLER)


class _Files:
    def __init__(self, documents: dict[tuple[str, str], dict[str, str]]) -> None:
        self._documents = documents

    async def names(self, user: str, turn_id: str) -> list[str]:
        return list(self._of(user, turn_id))

    async def read(self, user: str, turn_id: str, name: str) -> Document:
        files = self._of(user, turn_id)
        if name not in files:
            raise Refused(404, f"turn {turn_id} has no document {name!r}; it has {list(files)}", "name")
        return Document(name=name, media_type="text/markdown", text=files[name])

    def _of(self, user: str, turn_id: str) -> dict[str, str]:
        if (user, turn_id) not in self._documents:
            raise Refused(404, f"there is no ended turn {turn_id}")
        return self._documents[user, turn_id]


class _Log:
    def __init__(self, room: ToolRoom) -> None:
        self._room = room

    async def known(self, user: str, url: str) -> Page | None:
        return self._room.known_pages.get((user, url))

    async def read(self, page: Page, caller: Caller, *, about: str) -> None:
        self._room.read_pages.append((page, about))

    async def failed(self, domain: str, brief: str, caller: Caller) -> None:
        self._room.failures.append((domain, brief))
