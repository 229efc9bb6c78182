"""The tools that look into memory, with the real indexer, and each user's own alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.reading import EndedTurns
from services.orchestrator.phases.nats import BusMemory
from services.orchestrator.tools.built_in.registry import built_in_tools
from services.orchestrator.tools.nats import BusMemorySaving, BusMemorySearch
from services.orchestrator.tools.ports import Page, Unreadable
from services.orchestrator.tools.tool import Caller
from services.orchestrator.tools.toolbox import Toolbox
from services.orchestrator.web.nats import BusResearchLog
from shared.contract.requests import FreshResearch, GetSources
from tests.servers.nats import bus_to
from tests.stack import Stack


class Shelf:
    """Web of one page, and how often it was fetched."""

    fetched = 0

    async def fetch(self, url: str) -> Page:
        if not url.startswith("https://bees.test/"):
            raise Unreadable("wasps.test", "the server answered 503", "HTTP 503")
        Shelf.fetched += 1
        now = datetime.now(UTC)
        return Page(
            url=url,
            domain="bees.test",
            title="Of the varroa mite",
            text="Treat varroa mites in winter, while the queen lays no eggs.",
            published_at=None,
            fetched_at=now,
            expires_at=now + timedelta(days=7),
        )


@pytest.fixture
async def box(stack: Stack) -> AsyncIterator[Toolbox]:
    async with bus_to(stack.nats_url, "orchestrator", users=stack.data_dir / "nats-users") as bus:
        yield Toolbox(
            built_in_tools(
                clock=lambda: datetime.now(UTC),
                search=BusMemorySearch(bus),
                saving=BusMemorySaving(bus),
                session=BusMemory(bus),
                files=EndedTurns(FolderDocuments(Path(stack.environment["PANDORA_DATA_DIR"]) / "turns")),
                web=Shelf(),
                log=BusResearchLog(bus, lambda: datetime.now(UTC)),
            )
        )


def caller(user: str = "alice", session_id: str = "s1", turn_id: str | None = None) -> Caller:
    return Caller(user=user, session_id=session_id, turn_id=turn_id or uuid4().hex, turn_number=1)


async def test_what_is_saved_is_found_by_its_user_alone(box: Toolbox) -> None:
    word = f"plover{uuid4().hex[:6]}"
    alice = caller()
    arguments = {"text": f"My {word} is blue.", "kind": "fact", "attribute": word, "value": "blue"}

    saved = await box.run("memory.save", arguments, alice)
    again = await box.run("memory.save", arguments, alice)
    found = await box.run("memory.search", {"query": f"What colour is the {word}?"}, alice)
    other = await box.run("memory.search", {"query": f"What colour is the {word}?"}, caller("bob"))

    assert saved.text == again.text == f"Saved as a fact: My {word} is blue."
    assert found.text.startswith("1. [memory, ")
    assert f"My {word} is blue." in found.text.splitlines()[0]
    assert found.sources[0].message_ids == [f"{alice.turn_id}:user"]
    assert word not in other.text


async def test_what_was_said_is_found_listed_and_read_by_its_user_alone(box: Toolbox, stack: Stack) -> None:
    word, session = f"heron{uuid4().hex[:6]}", f"s{uuid4().hex[:8]}"
    told = await stack.tell(f"The {word} nests by the lake.", session_id=session)
    turn_id, number = told["turn_id"], told["turn_number"]

    found = await box.run("turns.search", {"query": f"Where does the {word} nest?", "limit": 1}, caller())
    listed = await box.run("files.list", {}, caller(session_id=session))
    read = await box.run("files.read", {"turn_id": turn_id, "name": "context.md"}, caller())

    assert found.text.startswith(f"1. [turn {number}] ")
    assert f"The {word} nests by the lake." in found.text
    assert found.text.endswith(f"(turn_id {turn_id})")
    assert found.sources[0].turn_id == turn_id
    assert listed.text.startswith(f"turn {number} (turn_id {turn_id}): context.md, ")
    assert f"The {word} nests by the lake." in read.text

    bob = caller("bob", session_id=session)
    assert word not in (await box.run("turns.search", {"query": f"Where does the {word} nest?"}, bob)).text
    assert (await box.run("files.list", {}, bob)).text == "This session has no ended turns yet."
    assert (await box.run("files.read", {"turn_id": turn_id, "name": "context.md"}, bob)).is_error


async def test_a_document_that_is_not_there_is_answered_with_those_that_are(
    box: Toolbox, stack: Stack
) -> None:
    told = await stack.tell("Hello.")

    result = await box.run("files.read", {"turn_id": told["turn_id"], "name": "../metadata.json"}, caller())

    assert result.is_error
    assert "has no document" in result.text
    assert "response.md" in result.text


async def test_a_page_that_was_read_is_kept_for_its_user_and_not_fetched_again(
    box: Toolbox, stack: Stack
) -> None:
    url, bob = f"https://bees.test/{uuid4().hex}", caller("bob")
    before = Shelf.fetched

    first = await box.run("research.fetch", {"url": url, "about": "varroa"}, caller())
    async with (
        bus_to(stack.nats_url, "orchestrator", users=stack.data_dir / "nats-users") as bus,
        asyncio.timeout(20),
    ):
        # As the tool asks: the answer to its first question is kept until the page is known.
        kept = FreshResearch(user="alice", url=url, limit=1)
        while not (pages := (await bus.ask(kept)).pages):  # noqa: ASYNC110 - the indexer knows
            await asyncio.sleep(0.05)
        (page,) = pages
    second = await box.run("research.fetch", {"url": f"{url}#mites"}, caller())

    assert first == second
    assert "Treat varroa mites in winter" in first.text
    assert Shelf.fetched == before + 1
    assert (page.primary_topic, page.turn_number, page.doc_path) == (
        "varroa",
        1,
        "000/turn_000001/context.md",
    )

    await box.run("research.fetch", {"url": url}, bob)
    assert Shelf.fetched == before + 2, "what alice read is not bob's"


async def test_how_sources_did_is_counted(box: Toolbox, stack: Stack) -> None:
    alice = caller()
    async with bus_to(stack.nats_url, "operator", users=stack.data_dir / "nats-users") as bus:
        (before,) = (await bus.ask(GetSources(domains=["wasps.test"]))).sources

        result = await box.run("research.fetch", {"url": "https://wasps.test/x"}, alice)
        await box.run("research.fetch", {"url": "https://wasps.test/x"}, alice)

        async with asyncio.timeout(20):
            while True:
                (after,) = (await bus.ask(GetSources(domains=["wasps.test"]))).sources
                if after.failure_count > before.failure_count:
                    break
                await asyncio.sleep(0.05)
    assert result.is_error
    assert after.failure_count == before.failure_count + 1, "a turn that runs again counts once"
    assert after.notes == {"last_reason": "HTTP 503"}
