"""The tools that look into memory, with the real indexer, and each user's own alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from services.orchestrator.adapters.folder import FolderDocuments
from services.orchestrator.adapters.nats import BusMemory
from services.orchestrator.adapters.nats_tools import ArchivedFiles, BusMemorySaving, BusMemorySearch
from services.orchestrator.adapters.web import WebReader
from services.orchestrator.archive import Archive
from services.orchestrator.tools.builtin import built_in_tools
from services.orchestrator.tools.registry import Toolbox
from services.orchestrator.tools.research import NoLog
from services.orchestrator.tools.tool import Caller
from tests.contracts.nats_server import bus_to
from tests.stack import Stack


@pytest.fixture
async def box(stack: Stack) -> AsyncIterator[Toolbox]:
    async with bus_to(stack.nats_url) as bus:
        yield Toolbox(
            built_in_tools(
                clock=lambda: datetime.now(UTC),
                search=BusMemorySearch(bus),
                saving=BusMemorySaving(bus),
                session=BusMemory(bus),
                files=ArchivedFiles(
                    Archive(FolderDocuments(Path(stack.environment["PANDORA_DATA_DIR"]) / "turns"))
                ),
                web=WebReader(),
                log=NoLog(),
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
