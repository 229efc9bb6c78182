"""The contract of Files over a folder, as the requests on the bus find it."""

import asyncio
import hashlib
import os
import struct
import time
import zlib
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.adapters.folder_files import FolderFiles
from services.orchestrator.adapters.pillow_pictures import look
from services.orchestrator.files import Filing
from shared.errors import Refused, Transient
from shared.replies import DeleteFile, FileInfo, GetFile, ListFiles, PutFile, ReadFile
from tests.contracts.images_room import image_bytes, noise, pieces, png_with
from tests.unit.samples import AT

DATA = png_with("in a chunk")
LATER = AT + timedelta(hours=1)


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path, look, lambda: AT)


@pytest.fixture
def filing(files: FolderFiles) -> Filing:
    return Filing(files, limit_bytes=1_000_000)


async def put_all(filing: Filing, puts: list[PutFile]) -> FileInfo:
    *before, last = [(await filing.put(put)).file for put in puts]
    assert before == [None] * len(before)
    assert last is not None
    return last


async def read_all(filing: Filing, user: str = "alice", file_id: str = "file-1") -> bytes:
    data, more = b"", True
    while more:
        piece = await filing.read(ReadFile(user=user, file_id=file_id, offset=len(data)))
        data, more = data + piece.data, piece.more
    return data


def left_in(folder: Path) -> list[str]:
    """Names of what is there beside the locks."""
    return sorted(path.name for path in folder.rglob("*") if ".locks" not in path.parts)


async def refusal_of(filing: Filing, put: PutFile) -> Refused:
    with pytest.raises(Refused) as refused:
        await filing.put(put)
    return refused.value


# --- putting ---


async def test_what_is_put_is_read_back_as_it_was(filing: Filing) -> None:
    info = await put_all(filing, pieces(DATA, step=50))

    assert info == FileInfo(
        file_id="file-1",
        name="bee.png",
        media_type="image/png",
        bytes=len(DATA),
        sha256=hashlib.sha256(DATA).hexdigest(),
        width=40,
        height=30,
        created_at=AT,
    )
    assert await filing.get(GetFile(user="alice", file_id="file-1")) == info
    assert await read_all(filing) == DATA


async def test_a_file_larger_than_a_piece_is_read_in_pieces(filing: Filing) -> None:
    data = noise("PNG", (500, 500))

    await put_all(filing, pieces(data))

    first = await filing.read(ReadFile(user="alice", file_id="file-1"))
    assert (len(first.data), first.more) == (512 * 1024, True)
    assert await read_all(filing) == data
    behind = await filing.read(ReadFile(user="alice", file_id="file-1", offset=len(data)))
    assert (behind.data, behind.more) == (b"", False)


async def test_until_the_last_piece_is_there_nobody_sees_a_file(filing: Filing) -> None:
    for put in pieces(DATA, step=50)[:-1]:
        await filing.put(put)

    with pytest.raises(Refused) as refused:
        await filing.get(GetFile(user="alice", file_id="file-1"))
    assert refused.value.status == 404
    assert (await filing.list_files(ListFiles(user="alice"))).files == []


async def test_two_processes_take_pieces_of_one_file(tmp_path: Path) -> None:
    one, other = (Filing(FolderFiles(tmp_path, look, lambda: AT), limit_bytes=1_000_000) for _ in "ab")
    first, second, third = pieces(DATA, step=len(DATA) // 3 + 1)

    await one.put(first)
    await other.put(second)
    await other.put(first)
    whole = (await one.put(third)).file

    assert whole is not None
    assert await read_all(other) == DATA
    assert (await other.put(third)).file == whole


async def test_senders_of_the_same_at_once_make_one_file(tmp_path: Path) -> None:
    processes = [Filing(FolderFiles(tmp_path, look, lambda: AT), limit_bytes=1_000_000) for _ in range(4)]

    async def send(process: Filing) -> FileInfo | None:
        return [(await process.put(put)).file for put in pieces(DATA, step=50)][-1]

    async with asyncio.timeout(30):
        infos = await asyncio.gather(*map(send, processes))

    assert infos[0] is not None
    assert infos == [infos[0]] * 4
    assert await read_all(processes[0]) == DATA


@settings(max_examples=30, deadline=None)
@given(step=st.integers(20, 400), again=st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=12))
def test_however_often_pieces_come_again_the_file_is_the_same(
    step: int, again: list[tuple[int, float]]
) -> None:
    """Each piece after those before it, and any of them again at any later time, in any process."""
    order = list(puts := pieces(DATA, step=step))
    for number, later in again:
        put = puts[number % len(puts)]
        first = order.index(put)
        order.insert(first + 1 + round(later * (len(order) - first - 1)), put)

    async def play() -> None:
        with TemporaryDirectory() as folder:
            processes = [
                Filing(FolderFiles(Path(folder), look, lambda: AT), limit_bytes=1_000_000) for _ in "ab"
            ]
            for number, put in enumerate(order):
                whole = (await processes[number % 2].put(put)).file
                assert (whole is not None) == (puts[-1] in order[: number + 1])
            assert await read_all(processes[0]) == DATA

    asyncio.run(play())


async def test_a_file_is_there_after_a_restart_and_a_half_one_goes_on(tmp_path: Path, filing: Filing) -> None:
    await put_all(filing, pieces(DATA))
    begun = pieces(DATA, file_id="file-2", step=100)
    await filing.put(begun[0])

    again = Filing(FolderFiles(tmp_path, look, lambda: LATER), limit_bytes=1_000_000)

    assert await read_all(again) == DATA
    info = await put_all(again, begun[1:])
    assert info.created_at == AT, "it began then"


# --- what is refused ---


async def test_what_is_too_large_is_refused_before_anything_is_kept(filing: Filing, tmp_path: Path) -> None:
    refused = await refusal_of(
        filing, PutFile(user="alice", file_id="f", name="x", size=1_000_001, data=b"x")
    )

    assert (refused.status, refused.field) == (413, "file")
    assert "FILE_LIMIT_BYTES" in refused.detail
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"just words",
        b"\x89PNG\r\n\x1a\n and no more",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        image_bytes("BMP"),
        image_bytes("TIFF"),
        noise("PNG", (60, 60))[:-3000],
        noise("JPEG", (60, 60))[:-1500],
        noise("WEBP", (60, 60))[:-800],
        noise("GIF", (60, 60))[:-2000],
    ],
    ids=["text", "header", "svg", "bmp", "tiff", "half png", "half jpeg", "half webp", "half gif"],
)
async def test_what_is_no_whole_image_is_refused_and_removed(
    filing: Filing, tmp_path: Path, data: bytes
) -> None:
    refused = await refusal_of(filing, pieces(data)[0])

    assert (refused.status, refused.field) == (415, "file")
    assert "PNG" in refused.detail
    assert left_in(tmp_path) == []


async def test_an_image_of_very_many_pixels_is_refused_unseen(filing: Filing, tmp_path: Path) -> None:
    """Some kilobytes of one colour, which would take 256 MB decoded."""
    refused = await refusal_of(filing, pieces(bomb((8000, 8000)))[0])
    worse = await refusal_of(filing, pieces(bomb((30_000, 30_000)))[0])

    assert (refused.status, worse.status) == (415, 415)
    assert "8000 x 8000" in refused.detail
    assert "megapixels" in worse.detail
    assert left_in(tmp_path) == []


def bomb(size: tuple[int, int]) -> bytes:
    """A PNG whose header promises more than follows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


async def test_other_bytes_under_an_id_that_is_taken_are_refused(filing: Filing) -> None:
    await put_all(filing, pieces(DATA))

    for other in (png_with("something else"), DATA[:-1] + b"?"):
        refused = await refusal_of(filing, pieces(other)[0])
        assert (refused.status, refused.field) == (409, "file_id")

    assert await read_all(filing) == DATA
    assert (await filing.put(pieces(DATA, user="bob")[0])).file is not None, "ids are one's own"


async def test_a_piece_whose_forerunner_is_missing_is_refused(filing: Filing, tmp_path: Path) -> None:
    first, second, third, *_ = pieces(DATA, step=50)

    nothing = await refusal_of(filing, second)
    assert left_in(tmp_path) == []
    await filing.put(first)
    gap = await refusal_of(filing, third)

    assert (nothing.status, nothing.field) == (gap.status, gap.field) == (409, "offset")
    assert "send the piece at 50" in gap.detail


async def test_pieces_of_two_files_under_one_id_do_not_mix(filing: Filing) -> None:
    await filing.put(pieces(DATA, step=50)[0])

    longer = await refusal_of(filing, pieces(DATA + b"x", step=50)[1])
    renamed = await refusal_of(filing, pieces(DATA, name="wasp.png", step=50)[1])

    assert (longer.status, renamed.status) == (409, 409)


async def test_a_piece_that_goes_beyond_the_file_is_refused(filing: Filing) -> None:
    refused = await refusal_of(
        filing, PutFile(user="alice", file_id="f", name="x", size=10, offset=8, data=b"abc")
    )

    assert (refused.status, refused.field) == (422, "data")


# --- whose it is ---


@pytest.mark.parametrize("user", [".", "..", "...", ".writing-x", "Bob", "a@b.org"])
async def test_no_name_of_a_user_leads_out_of_the_folder(tmp_path: Path, user: str) -> None:
    folder = tmp_path / "data" / "files"
    filing = Filing(FolderFiles(folder, look, lambda: AT), limit_bytes=1_000_000)

    await put_all(filing, pieces(DATA, user=user))

    assert await read_all(filing, user) == DATA
    (place,) = folder.glob("user_*")
    assert left_in(tmp_path) == sorted(["data", "files", place.name, "file-1", "about.json", "data"])


async def test_names_that_differ_in_capitals_alone_have_two_folders_on_any_disk(tmp_path: Path) -> None:
    filing = Filing(FolderFiles(tmp_path, look, lambda: AT), limit_bytes=1_000_000)

    for user in ("bob", "Bob", "BOB"):
        await put_all(filing, pieces(DATA, user=user))

    assert len({name.lower() for name in left_in(tmp_path) if name.startswith("user_")}) == 3


async def test_a_strangers_file_is_answered_like_none(filing: Filing) -> None:
    await put_all(filing, pieces(DATA))

    refusals = []
    for user, file_id in (("bob", "file-1"), ("alice", "file-2")):
        for ask in (
            filing.get(GetFile(user=user, file_id=file_id)),
            filing.read(ReadFile(user=user, file_id=file_id)),
        ):
            with pytest.raises(Refused) as refused:
                await ask
            refusals.append((refused.value.status, refused.value.detail.replace(file_id, "")))

    assert len(set(refusals)) == 1
    assert refusals[0][0] == 404
    assert not (await filing.delete(DeleteFile(user="bob", file_id="file-1"))).deleted
    assert (await filing.list_files(ListFiles(user="bob"))).files == []
    assert await read_all(filing) == DATA


# --- listing and taking away ---


async def test_files_are_listed_by_id_a_page_at_a_time(filing: Filing) -> None:
    for number in (3, 1, 2):
        await put_all(filing, pieces(DATA, file_id=f"file-{number}"))

    first = await filing.list_files(ListFiles(user="alice", limit=2))
    second = await filing.list_files(ListFiles(user="alice", after="file-2", limit=2))

    assert [[info.file_id for info in page.files] for page in (first, second)] == [
        ["file-1", "file-2"],
        ["file-3"],
    ]
    assert (first.more, second.more) == (True, False)


async def test_a_page_of_long_names_fits_a_message(filing: Filing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.orchestrator.files._PAGE_BYTES", 3 * (512 + 6 * 255) - 1)
    for number in range(5):
        await put_all(filing, pieces(DATA, file_id=f"file-{number}", name="\x01" * 255))

    page = await filing.list_files(ListFiles(user="alice"))

    assert (len(page.files), page.more) == (3, True)


async def test_what_is_deleted_is_gone(filing: Filing, tmp_path: Path) -> None:
    await put_all(filing, pieces(DATA))
    await filing.put(pieces(DATA, file_id="file-2", step=50)[0])

    deleted = [(await filing.delete(DeleteFile(user="alice", file_id="file-1"))).deleted for _ in "ab"]
    half = await filing.delete(DeleteFile(user="alice", file_id="file-2"))

    assert deleted == [True, False]
    assert not half.deleted
    assert left_in(tmp_path) == [], "the half one and the user's folder as well"
    await put_all(filing, pieces(png_with("another"), name="wasp.png"))


async def test_what_was_begun_until_a_moment_is_told(tmp_path: Path) -> None:
    now = AT
    files = FolderFiles(tmp_path, look, lambda: now)
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


# --- what is left behind ---


async def test_what_nobody_goes_on_with_is_removed_after_an_hour(tmp_path: Path, filing: Filing) -> None:
    await filing.put(pieces(DATA, file_id="old", step=50)[0])
    await filing.put(pieces(DATA, file_id="new", step=50)[0])
    data = tmp_path / "user_alice" / ".writing-old" / "data"
    long_ago = time.time() - 2 * 3600
    os.utime(data, (long_ago, long_ago))
    os.utime(data.parent, (long_ago, long_ago))

    FolderFiles(tmp_path, look, lambda: AT)

    assert [path.name for path in (tmp_path / "user_alice").iterdir()] == [".writing-new"]


async def test_a_half_file_without_its_beginning_begins_anew(tmp_path: Path, filing: Filing) -> None:
    """Its removal broke off."""
    half = tmp_path / "user_alice" / ".writing-file-1"
    half.mkdir(parents=True)
    (half / "data").write_bytes(b"?" * 5000)

    await put_all(filing, pieces(DATA))

    assert await read_all(filing) == DATA


async def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "files", look, lambda: AT)
    (tmp_path / "files" / "user_alice").write_text("no folder")

    with pytest.raises(Transient, match=str(tmp_path / "files")):
        await files.put(pieces(DATA)[0])
