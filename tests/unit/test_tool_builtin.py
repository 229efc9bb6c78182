"""The tools that Pandora brings along, each with what it needs in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.orchestrator.tools.builtin import built_in_tools
from services.orchestrator.tools.ports import Page, Unreadable
from services.orchestrator.tools.registry import Toolbox
from services.orchestrator.tools.tool import Caller, ToolResult
from shared.errors import Refused, Transient
from shared.memories import Memory, Statement
from shared.replies import Document, Hit, Kind, TurnRow

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
CALLER = Caller(user="mira", session_id="s1", turn_id="t9", turn_number=9)


class Room:
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
    def __init__(self, room: Room) -> None:
        self._room = room

    async def known(self, user: str, url: str) -> Page | None:
        return self._room.known_pages.get((user, url))

    async def read(self, page: Page, caller: Caller, *, about: str) -> None:
        self._room.read_pages.append((page, about))

    async def failed(self, domain: str, brief: str, caller: Caller) -> None:
        self._room.failures.append((domain, brief))


@pytest.fixture
def room() -> Room:
    return Room()


def hit(**fields: Any) -> Hit:
    known: dict[str, Any] = {
        "kind": "turn",
        "id": "t3",
        "score": 0.7,
        "text": "",
        "session_id": "s0",
        "at": NOW,
    }
    return Hit(**{**known, **fields})


def row(number: int) -> TurnRow:
    return TurnRow(
        turn_id=f"t{number}",
        turn_number=number,
        session_id="s1",
        at=NOW,
        topic="",
        intent="",
        keywords=[],
        quality=0.0,
        model="",
        recipe="",
        input="",
        output="",
        quoted=False,
    )


def test_all_of_them_are_there_and_say_what_they_may(room: Room) -> None:
    permissions = {name: tool.permission for name in room.box.names if (tool := room.box.get(name))}

    assert permissions == {
        "clock.now": "read",
        "calculator": "read",
        "memory.search": "read",
        "memory.save": "write",
        "turns.search": "read",
        "content.search": "read",
        "files.list": "read",
        "files.read": "read",
        "research.fetch": "network",
    }


@pytest.mark.parametrize("name", Room().box.names)
def test_the_description_of_each_argument_is_in_its_schema(name: str, room: Room) -> None:
    tool = room.box.get(name)
    assert tool is not None

    assert tool.schema["additionalProperties"] is False
    assert all(part.get("description") for part in tool.schema["properties"].values())


# --- clock.now ---


async def test_the_clock_knows_time_zones(room: Room) -> None:
    utc = await room.run("clock.now")
    tokyo = await room.run("clock.now", time_zone="Asia/Tokyo")

    assert utc.text.startswith(
        "Saturday, 21 November 2026, 18:30:00 in UTC\n2026-11-21T18:30:00+00:00, week 47"
    )
    assert tokyo.text.startswith(
        "Sunday, 22 November 2026, 03:30:00 in Asia/Tokyo\n2026-11-22T03:30:00+09:00"
    )


@pytest.mark.parametrize("zone", ["Europe/Lisabon", "lisbon", "europe/lisbon", "Lisbon "])
async def test_a_wrong_time_zone_is_answered_with_the_right_one(zone: str, room: Room) -> None:
    result = await room.run("clock.now", time_zone=zone)

    assert result.is_error
    assert "time_zone: there is no time zone" in result.text
    assert "did you mean Europe/Lisbon" in result.text


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "../../etc/passwd", "Europe", "\0", "x" * 64, "Europe/"])
async def test_a_time_zone_is_no_path(zone: str, room: Room) -> None:
    result = await room.run("clock.now", time_zone=zone)

    assert result.is_error
    assert "there is no time zone" in result.text


# --- memory and turns ---


async def test_turns_are_found_as_numbered_lines_with_their_marks(room: Room) -> None:
    room.hits = [
        hit(
            turn_id="t3",
            turn_number=3,
            input="My sister\nkeeps bees.",
            output="Noted.",
            message_ids=["t3:user"],
            highlights=["keeps bees."],
        ),
        hit(id="D1:1", text="His name is Biscuit.", speaker="Caroline"),
        hit(
            id="t4",
            turn_id="t4",
            turn_number=4,
            input="I live in Rome.",
            output="x",
            quoted=True,
            outdated=["Rome"],
        ),
    ]

    result = await room.run("turns.search", query="bees", limit=3)

    assert result.text.splitlines() == [
        "1. [turn 3] 2026-11-21: My sister keeps bees. Answer: Noted. (turn_id t3)",
        "2. [Caroline, 21 November 2026] 2026-11-21: His name is Biscuit.",
        "3. [turn 4] 2026-11-21: I live in Rome. (no longer so: Rome) (turn_id t4)",
    ]
    assert [source.name for source in result.sources] == ["turn 3", "Caroline, 21 November 2026", "turn 4"]
    assert result.sources[0].message_ids == ["t3:user"]
    assert result.sources[0].quote == "keeps bees."
    assert room.asked == [("mira", "bees", "turn", 3)]


async def test_the_turn_that_asks_is_not_found(room: Room) -> None:
    room.hits = [hit(id="t9", turn_id="t9", turn_number=9, input="What did I say of bees?")]

    result = await room.run("turns.search", query="bees")

    assert result.text == "Nothing like that was said in earlier turns."
    assert result.sources == []


async def test_memories_are_found_by_their_kind(room: Room) -> None:
    room.hits = [hit(kind="memory", id="m1", text="I live in Porto.", turn_id="t3")]

    result = await room.run("memory.search", query="home")

    assert result.text == "1. [memory, 21 November 2026] 2026-11-21: I live in Porto."
    assert room.asked == [("mira", "home", "memory", 5)]


async def test_an_index_that_is_away_is_an_error_and_no_end(room: Room) -> None:
    room.away = True

    result = await room.run("memory.search", query="home")

    assert result.is_error
    assert "memory.search cannot answer now: nobody answers index.search now. Go on" in result.text


async def test_what_is_saved_says_who_said_it_and_is_the_same_when_said_again(room: Room) -> None:
    result = await room.run(
        "memory.save", text="I live in Porto.", kind="fact", attribute="home", value="Porto"
    )
    await room.run("memory.save", text="I live in Porto.", kind="fact", attribute="home", value="Porto")
    await room.run("memory.save", text="I keep bees.")

    (user, statement, first), (_, _, again), (_, _, other) = room.saved
    assert result.text == "Saved as a fact: I live in Porto."
    assert user == "mira"
    assert (statement.made_by, statement.turn_id, statement.said_at) == ("tool", "t9", NOW)
    assert (statement.attribute, statement.value) == ("home", "Porto")
    assert first == again != other


async def test_there_is_no_catalogue_yet(room: Room) -> None:
    result = await room.run("content.search", query="jazz")

    assert result.text.startswith("There is no catalogue yet.")
    assert not result.is_error


# --- files ---


async def test_the_documents_of_the_session_are_listed(room: Room) -> None:
    room.turns = [row(3), row(4), row(5)]
    files = {"response.md": "Hello.", "context.md": "# Turn"}
    for turn in ("t3", "t5"):  # The fourth is forgotten meanwhile.
        room.documents[("mira", turn)] = files

    result = await room.run("files.list", turns=3)

    assert result.text.splitlines() == [
        "turn 3 (turn_id t3): context.md, response.md",
        "turn 5 (turn_id t5): context.md, response.md",
    ]


async def test_a_long_document_is_read_page_by_page(room: Room) -> None:
    room.documents[("mira", "t3")] = {"context.md": "a" * 12_000 + "b" * 10}

    first = await room.run("files.read", turn_id="t3", name="context.md")
    second = await room.run("files.read", turn_id="t3", name="context.md", start=12_000)
    behind = await room.run("files.read", turn_id="t3", name="context.md", start=99_000)

    assert first.text == "a" * 12_000 + "\n[it goes on: start=12000, of 12010 characters]"
    assert first.is_cut
    assert second.text == "b" * 10
    assert not second.is_cut
    assert second.sources[0].turn_id == "t3"
    assert behind.text == "context.md has 12010 characters, none behind that."


@pytest.mark.parametrize("turn_id", ["t3", "t4"])
async def test_a_turn_of_somebody_else_is_not_there(turn_id: str, room: Room) -> None:
    room.documents[("tomas", "t3")] = {"response.md": "secret"}

    result = await room.run("files.read", turn_id=turn_id, name="response.md")

    assert result.is_error
    assert result.text == f"files.read refused: there is no ended turn {turn_id}"


@pytest.mark.parametrize("turn_id", ["../t3", "", "a/b", "*", "t3\n"])
async def test_a_turn_id_is_no_path(turn_id: str, room: Room) -> None:
    result = await room.run("files.read", turn_id=turn_id, name="response.md")

    assert result.is_error
    assert "turn_id" in result.text


# --- research.fetch ---

PAGE = Page(
    url="https://example.org/bees?from=feed",
    domain="example.org",
    title="Bees",
    text="Bees dance.",
    published_at=datetime(2026, 3, 14, tzinfo=UTC),
    fetched_at=NOW,
    expires_at=NOW,
)


async def test_a_page_is_read_and_written_into_the_log(room: Room) -> None:
    room.page = PAGE

    result = await room.run("research.fetch", url="https://example.org/bees?from=feed", about="dance")

    assert result.text == (
        "Bees\nhttps://example.org/bees?from=feed, published 2026-03-14, read 2026-11-21\n\nBees dance."
    )
    (source,) = result.sources
    assert (source.name, source.url, source.at) == ("example.org/bees", PAGE.url, NOW)
    assert room.read_pages == [(PAGE, "dance")]


async def test_a_page_that_was_read_lately_is_not_read_again_unless_it_shall_be(room: Room) -> None:
    room.known_pages["mira", PAGE.url] = PAGE
    room.page = msgspec.structs.replace(PAGE, text="Bees dance anew.")

    lately = await room.run("research.fetch", url=PAGE.url)
    again = await room.run("research.fetch", url=PAGE.url, again=True)

    assert lately.text.endswith("read 2026-11-21\n\nBees dance.")
    assert lately.sources[0].url == PAGE.url
    assert again.text.endswith("Bees dance anew.")
    assert len(room.read_pages) == 1


async def test_a_page_that_cannot_be_read_is_written_into_the_log_with_its_domain(room: Room) -> None:
    room.page = Unreadable("example.org", "it is a PDF; look elsewhere", "a PDF")
    known = await room.run("research.fetch", url="https://example.org/bees.pdf")
    room.page = Unreadable("", "this is no address", "refused")
    unknown = await room.run("research.fetch", url="https://[")

    assert known.text == "https://example.org/bees.pdf cannot be read: it is a PDF; look elsewhere"
    assert known.is_error
    assert unknown.is_error
    assert room.failures == [("example.org", "a PDF")]


async def test_a_very_long_page_is_cut(room: Room) -> None:
    room.page = msgspec.structs.replace(PAGE, text="bees " * 10_000)

    result = await room.run("research.fetch", url="https://example.org/bees")

    assert result.is_cut
    assert len(result.text) < 12_200
