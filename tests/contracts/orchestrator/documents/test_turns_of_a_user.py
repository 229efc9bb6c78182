"""Whose the turns of a folder are, and how they are found."""

from pathlib import Path

import pytest

from services.orchestrator.documents import folder as folder_module
from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.documents.zips import TurnOwner, owner_of
from tests.contracts.orchestrator.documents.documents_room import written


async def test_the_turns_of_a_user_are_those_of_the_user_alone_archived_or_not(
    documents: FolderDocuments, archive: FolderArchive
) -> None:
    await written(documents, 12)
    await written(documents, 3, session_id="s2")
    await written(documents, 4, user="bob")
    await written(documents, 5)
    await archive.pack("000/turn_000005")

    assert await documents.turns_of("alice") == [(3, "t3"), (5, "t5"), (12, "t12")]
    assert await documents.turns_of("alice", "s1") == [(5, "t5"), (12, "t12")]
    assert await documents.turns_of("bob", "s1") == [(4, "t4")]
    assert await documents.turns_of("carol") == []


async def test_the_turns_of_a_user_are_listed_without_a_look_at_others(
    documents: FolderDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        await written(documents, number, user="alice" if number == 3 else "bob")
    looked: list[Path] = []

    def owner(path: Path) -> TurnOwner | None:
        looked.append(path)
        return owner_of(path)

    monkeypatch.setattr(folder_module, "owner_of", owner)

    assert await documents.turns_of("alice") == [(3, "t3")]
    assert [path.name for path in looked] == ["turn_000003"]


@pytest.mark.parametrize("user", [".", "..", "a.b@c"])
async def test_a_user_may_have_any_name(documents: FolderDocuments, folder: Path, user: str) -> None:
    await written(documents, 7, user=user)

    assert await documents.turns_of(user) == [(7, "t7")]
    assert await documents.remove("t7")
    assert list(folder.glob("by_user/*")) == []  # noqa: ASYNC240
