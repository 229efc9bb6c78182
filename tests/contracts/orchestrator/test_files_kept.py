"""Files over a folder: their users, lists, removal, and leftovers."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image
from services.orchestrator.images.uploads import Uploads
from shared.contract.errors import Refused, Transient
from shared.contract.events import encode
from shared.contract.requests import DeleteFile, GetFile, ListFiles, ReadFile
from tests.contracts.orchestrator.files_room import left_in, put_all, read_all
from tests.contracts.orchestrator.images_room import pieces, png_with
from tests.unit.samples import AT

DATA = png_with("in a chunk")
LATER = AT + timedelta(hours=1)


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path, read_image, lambda: AT)


@pytest.fixture
def uploads(files: FolderFiles) -> Uploads:
    return Uploads(files, limit_bytes=1_000_000)


# --- whose it is ---


@pytest.mark.parametrize("user", [".", "..", "...", ".writing-x", "Bob", "a@b.org"])
async def test_no_name_of_a_user_leads_out_of_the_folder(tmp_path: Path, user: str) -> None:
    folder = tmp_path / "data" / "files"
    uploads = Uploads(FolderFiles(folder, read_image, lambda: AT), limit_bytes=1_000_000)

    await put_all(uploads, pieces(DATA, user=user))

    assert await read_all(uploads, user) == DATA
    (place,) = folder.glob("user_*")
    assert left_in(tmp_path) == sorted(["data", "files", place.name, "file-1", "about.json", "data"])


async def test_names_that_differ_in_capitals_alone_have_two_folders_on_any_disk(tmp_path: Path) -> None:
    uploads = Uploads(FolderFiles(tmp_path, read_image, lambda: AT), limit_bytes=1_000_000)

    for user in ("bob", "Bob", "BOB"):
        await put_all(uploads, pieces(DATA, user=user))

    assert len({name.lower() for name in left_in(tmp_path) if name.startswith("user_")}) == 3


async def test_a_strangers_file_is_answered_like_none(uploads: Uploads) -> None:
    await put_all(uploads, pieces(DATA))

    refusals = []
    for user, file_id in (("bob", "file-1"), ("alice", "file-2")):
        for ask in (
            uploads.get(GetFile(user=user, file_id=file_id)),
            uploads.read(ReadFile(user=user, file_id=file_id)),
        ):
            with pytest.raises(Refused) as refused:
                await ask
            refusals.append((refused.value.status, refused.value.detail.replace(file_id, "")))

    assert len(set(refusals)) == 1
    assert refusals[0][0] == 404
    assert not (await uploads.delete(DeleteFile(user="bob", file_id="file-1"))).deleted
    assert (await uploads.list_files(ListFiles(user="bob"))).files == []
    assert await read_all(uploads) == DATA


# --- listing and taking away ---


async def test_files_are_listed_by_id_a_page_at_a_time(uploads: Uploads) -> None:
    for number in (3, 1, 2):
        await put_all(uploads, pieces(DATA, file_id=f"file-{number}"))

    first = await uploads.list_files(ListFiles(user="alice", limit=2))
    second = await uploads.list_files(ListFiles(user="alice", after="file-2", limit=2))

    assert [[info.file_id for info in page.files] for page in (first, second)] == [
        ["file-1", "file-2"],
        ["file-3"],
    ]
    assert (first.more, second.more) == (True, False)


async def test_a_page_of_long_names_fits_a_message(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.orchestrator.images.uploads._PAGE_BYTES", 4_000)
    for number in range(5):
        await put_all(uploads, pieces(DATA, file_id=f"file-{number}", name="\x01" * 255))

    page = await uploads.list_files(ListFiles(user="alice"))

    assert (len(page.files), page.more) == (3, True)
    one = len(encode(page.files[0]))
    assert one > 6 * 255
    assert len(encode(page)) < 4_000 + one + 100


async def test_what_is_deleted_is_gone(uploads: Uploads, tmp_path: Path) -> None:
    await put_all(uploads, pieces(DATA))
    await uploads.put(pieces(DATA, file_id="file-2", step=50)[0])

    deleted = [(await uploads.delete(DeleteFile(user="alice", file_id="file-1"))).deleted for _ in "ab"]
    half = await uploads.delete(DeleteFile(user="alice", file_id="file-2"))

    assert deleted == [True, False]
    assert not half.deleted
    assert left_in(tmp_path) == [], "the half one and the user's folder as well"
    await put_all(uploads, pieces(png_with("another"), name="wasp.png"))


async def test_what_was_begun_until_a_moment_is_told(tmp_path: Path) -> None:
    now = AT
    files = FolderFiles(tmp_path, read_image, lambda: now)
    await files.put(pieces(DATA, file_id="whole")[0])
    await files.put(pieces(DATA, file_id="half", step=50)[0])
    now = LATER
    await files.put(pieces(DATA, file_id="later")[0])
    await files.put(pieces(DATA, file_id="later-half", step=50)[0])
    removed = tmp_path / "user_alice" / ".removing-broken.abc"
    removed.mkdir()

    assert await files.begun_until("alice", AT) == ["broken", "half", "whole"]
    assert await files.begun_until("bob", LATER) == []
    assert await files.remove("alice", ["broken", "half", "whole"]) == 1
    assert sorted(path.name for path in (tmp_path / "user_alice").iterdir()) == [
        ".writing-later-half",
        "later",
    ]


# --- leftovers ---


async def test_what_nobody_goes_on_with_is_removed_after_an_hour(tmp_path: Path, uploads: Uploads) -> None:
    await uploads.put(pieces(DATA, file_id="old", step=50)[0])
    await uploads.put(pieces(DATA, file_id="new", step=50)[0])
    data = tmp_path / "user_alice" / ".writing-old" / "data"
    long_ago = time.time() - 2 * 3600
    os.utime(data, (long_ago, long_ago))
    os.utime(data.parent, (long_ago, long_ago))

    FolderFiles(tmp_path, read_image, lambda: AT)

    assert [path.name for path in (tmp_path / "user_alice").iterdir()] == [".writing-new"]


async def test_a_half_file_without_its_beginning_begins_anew(tmp_path: Path, uploads: Uploads) -> None:
    """Its removal was interrupted."""
    half = tmp_path / "user_alice" / ".writing-file-1"
    half.mkdir(parents=True)
    (half / "data").write_bytes(b"?" * 5000)

    await put_all(uploads, pieces(DATA))

    assert await read_all(uploads) == DATA


async def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "files", read_image, lambda: AT)
    (tmp_path / "files" / "user_alice").write_text("no folder")

    with pytest.raises(Transient, match=str(tmp_path / "files")):
        await files.put(pieces(DATA)[0])
