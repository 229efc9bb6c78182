"""Turns are found by what they were given, and leave no pointer when they go."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.documents.turn_sources import of_memory, of_session, of_turn
from shared.contract.events import Source, SourcesFound, encode
from tests.contracts.orchestrator.documents.documents_room import Crash, crash, files

EARLIER = Source(score=1.0, quote="plums", id="t3", turn_id="t3", session_id="garden")
MEMORY = Source(score=1.0, quote="plums", kind="memory", id="m1", turn_id="t4", session_id="cellar")
IMPORTED = Source(score=1.0, quote="plums", id="old", session_id="a/b")


def given(number: int, *sources: Source, user: str = "alice") -> dict[str, str]:
    """Documents of a turn that used the first of these, and was shown all."""
    texts = files(number, f"t{number}", user=user)
    metadata: dict[str, Any] = json.loads(texts["metadata.json"])
    metadata["sources"] = json.loads(encode(sources[:1]))
    shown = encode(SourcesFound(index=1, sources=list(sources))).decode()
    return {**texts, "metadata.json": json.dumps(metadata), "events.jsonl": f"{shown}\n"}


def pointers(folder: Path) -> list[Path]:
    return [path for path in folder.glob("by_source/**/*") if path.is_file()]


async def test_a_turn_is_found_by_all_that_it_was_given(documents: FolderDocuments) -> None:
    await documents.write(7, "t7", given(7, EARLIER, MEMORY, IMPORTED))
    await documents.write(8, "t8", given(8, IMPORTED))
    await documents.write(9, "t9", given(9, EARLIER, user="bob"))

    found = {
        source: sorted(await documents.turns_given("alice", {source}))
        for source in (of_turn("t3"), of_memory("m1"), of_session("garden"), of_session("a/b"))
    }

    assert found == {
        "turn t3": ["t7"],
        "memory m1": ["t7"],
        "session garden": ["t7"],
        "session a/b": ["t7", "t8"],
    }
    assert await documents.turns_given("alice", {of_turn("t4"), of_session("cellar")}) == set()
    assert await documents.turns_given("alice", {of_memory("m1"), of_session("a/b")}) == {"t7", "t8"}
    assert await documents.turns_of("alice", "s1") == [(7, "t7"), (8, "t8")]


@pytest.mark.parametrize("is_archived", [False, True])
async def test_with_a_turn_its_pointers_go(
    documents: FolderDocuments, archive: FolderArchive, folder: Path, is_archived: bool
) -> None:
    await documents.write(7, "t7", given(7, EARLIER, MEMORY))
    await documents.write(8, "t8", given(8, EARLIER))
    if is_archived:
        await archive.pack("000/turn_000007")

    await documents.remove("t7")
    assert {path.name for path in pointers(folder)} == {"t8"}
    await documents.rewrite("t8", files(8, "t8"))
    assert await documents.turns_given("alice", {of_turn("t3"), of_session("garden")}) == set()
    assert await documents.turns_of("alice", "s1") == [(8, "t8")]
    await documents.remove("t8")

    assert list((folder / "by_source").iterdir()) == []


async def test_a_removal_that_broke_off_leaves_no_pointer(
    documents: FolderDocuments, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await documents.write(7, "t7", given(7, EARLIER))
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", crash)
        with pytest.raises(Crash):
            await documents.remove("t7")

    await documents.remove("t7")

    assert pointers(folder) == []


async def test_a_turn_whose_documents_cannot_be_read_may_have_been_given_anything(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    await documents.write(7, "t7", {**given(7), "events.jsonl": '{"type":"turn.sources"'})

    assert await documents.turns_given("alice", {of_turn("t3")}) == {"t7"}
    await archive.sort("t7")
    assert await documents.turns_given("alice", {of_turn("t3")}) == {"t7"}
