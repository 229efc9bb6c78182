"""The contract of Files over a folder, as requests on the bus find it: what is put, and what is refused."""

import asyncio
import hashlib
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image
from services.orchestrator.images.uploads import Uploads
from shared.contract.errors import Refused
from shared.contract.requests import FileInfo, GetFile, ListFiles, PutFile, ReadFile
from tests.contracts.orchestrator.files_room import left_in, put_all, read_all, refusal_of
from tests.contracts.orchestrator.images_room import image_bytes, noise, pieces, png_with
from tests.unit.samples import AT

DATA = png_with("in a chunk")
LATER = AT + timedelta(hours=1)


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path, read_image, lambda: AT)


@pytest.fixture
def uploads(files: FolderFiles) -> Uploads:
    return Uploads(files, limit_bytes=1_000_000)


# --- putting ---


async def test_what_is_put_is_read_back_as_it_was(uploads: Uploads) -> None:
    info = await put_all(uploads, pieces(DATA, step=50))

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
    assert await uploads.get(GetFile(user="alice", file_id="file-1")) == info
    assert await read_all(uploads) == DATA


async def test_a_file_larger_than_a_piece_is_read_in_pieces(uploads: Uploads) -> None:
    data = noise("PNG", (500, 500))

    await put_all(uploads, pieces(data))

    first = await uploads.read(ReadFile(user="alice", file_id="file-1"))
    assert (len(first.data), first.more) == (512 * 1024, True)
    assert await read_all(uploads) == data
    behind = await uploads.read(ReadFile(user="alice", file_id="file-1", offset=len(data)))
    assert (behind.data, behind.more) == (b"", False)


async def test_until_the_last_piece_is_there_nobody_sees_a_file(uploads: Uploads) -> None:
    for put in pieces(DATA, step=50)[:-1]:
        await uploads.put(put)

    with pytest.raises(Refused) as refused:
        await uploads.get(GetFile(user="alice", file_id="file-1"))
    assert refused.value.status == 404
    assert (await uploads.list_files(ListFiles(user="alice"))).files == []


async def test_two_processes_take_pieces_of_one_file(tmp_path: Path) -> None:
    one, other = (Uploads(FolderFiles(tmp_path, read_image, lambda: AT), limit_bytes=1_000_000) for _ in "ab")
    first, second, third = pieces(DATA, step=len(DATA) // 3 + 1)

    await one.put(first)
    await other.put(second)
    await other.put(first)
    whole = (await one.put(third)).file

    assert whole is not None
    assert await read_all(other) == DATA
    assert (await other.put(third)).file == whole


async def test_senders_of_the_same_at_once_make_one_file(tmp_path: Path) -> None:
    processes = [
        Uploads(FolderFiles(tmp_path, read_image, lambda: AT), limit_bytes=1_000_000) for _ in range(4)
    ]

    async def send(process: Uploads) -> FileInfo | None:
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
                Uploads(FolderFiles(Path(folder), read_image, lambda: AT), limit_bytes=1_000_000)
                for _ in "ab"
            ]
            for number, put in enumerate(order):
                whole = (await processes[number % 2].put(put)).file
                assert (whole is not None) == (puts[-1] in order[: number + 1])
            assert await read_all(processes[0]) == DATA

    asyncio.run(play())


async def test_a_file_is_there_after_a_restart_and_a_half_one_goes_on(
    tmp_path: Path, uploads: Uploads
) -> None:
    await put_all(uploads, pieces(DATA))
    begun = pieces(DATA, file_id="file-2", step=100)
    await uploads.put(begun[0])

    again = Uploads(FolderFiles(tmp_path, read_image, lambda: LATER), limit_bytes=1_000_000)

    assert await read_all(again) == DATA
    info = await put_all(again, begun[1:])
    assert info.created_at == AT, "it began then"


# --- what is refused ---


async def test_what_is_too_large_is_refused_before_anything_is_kept(uploads: Uploads, tmp_path: Path) -> None:
    refused = await refusal_of(
        uploads, PutFile(user="alice", file_id="f", name="x", size=1_000_001, data=b"x")
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
    uploads: Uploads, tmp_path: Path, data: bytes
) -> None:
    refused = await refusal_of(uploads, pieces(data)[0])

    assert (refused.status, refused.field) == (415, "file")
    assert "PNG" in refused.detail
    assert left_in(tmp_path) == []


async def test_an_image_of_very_many_pixels_is_refused_unseen(uploads: Uploads, tmp_path: Path) -> None:
    """Some kilobytes of one colour, which would take 256 MB decoded."""
    refused = await refusal_of(uploads, pieces(bomb((8000, 8000)))[0])
    worse = await refusal_of(uploads, pieces(bomb((30_000, 30_000)))[0])

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


async def test_other_bytes_under_an_id_that_is_taken_are_refused(uploads: Uploads) -> None:
    await put_all(uploads, pieces(DATA))

    for other in (png_with("something else"), DATA[:-1] + b"?"):
        refused = await refusal_of(uploads, pieces(other)[0])
        assert (refused.status, refused.field) == (409, "file_id")

    assert await read_all(uploads) == DATA
    assert (await uploads.put(pieces(DATA, user="bob")[0])).file is not None, "ids are one's own"


async def test_a_piece_whose_forerunner_is_missing_is_refused(uploads: Uploads, tmp_path: Path) -> None:
    first, second, third, *_ = pieces(DATA, step=50)

    nothing = await refusal_of(uploads, second)
    assert left_in(tmp_path) == []
    await uploads.put(first)
    gap = await refusal_of(uploads, third)

    assert (nothing.status, nothing.field) == (gap.status, gap.field) == (409, "offset")
    assert "send the piece at 50" in gap.detail


async def test_pieces_of_two_files_under_one_id_do_not_mix(uploads: Uploads) -> None:
    await uploads.put(pieces(DATA, step=50)[0])

    longer = await refusal_of(uploads, pieces(DATA + b"x", step=50)[1])
    renamed = await refusal_of(uploads, pieces(DATA, name="wasp.png", step=50)[1])

    assert (longer.status, renamed.status) == (409, 409)


async def test_a_piece_that_goes_beyond_the_file_is_refused(uploads: Uploads) -> None:
    refused = await refusal_of(
        uploads, PutFile(user="alice", file_id="f", name="x", size=10, offset=8, data=b"abc")
    )

    assert (refused.status, refused.field) == (422, "data")
