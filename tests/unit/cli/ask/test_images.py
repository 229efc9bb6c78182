"""`pandora ask --image` against a small real server."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BodyPartReader, web

from cli.ask.images import add_images
from cli.ask.turn import Asked, how_to_find
from cli.client.gateway import Gateway, GatewayError, gateway_at
from cli.terminal.failure import CommandFailed
from shared.contract.events import MOST_IMAGES
from tests.unit.cli import gateway_room

LIMIT = 1000
SAVED = (
    'id: 0\ndata: {"type":"turn.saved","index":0,"turn_id":"t42","session_id":"s","output":"A bee.",'
    '"sources":[]}\n\n'
)


class Served:
    """Takes files and turns, and notes both."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.names: list[str] = []
        self.turns: list[Any] = []
        self.hangs = asyncio.Event()

    async def take(self, request: web.Request) -> web.StreamResponse:
        if (request.content_length or 0) > LIMIT * 1000:
            return web.json_response({"detail": "the file is far too large", "field": "file"}, status=413)
        part = await (await request.multipart()).next()
        assert isinstance(part, BodyPartReader)
        assert part.name == "file"
        data = bytes(await part.read())
        if data == b"hang":
            self.hangs.set()
            await asyncio.sleep(60)
        if len(data) > LIMIT:
            return web.json_response({"detail": "the file is too large", "field": "file"}, status=413)
        if not data.startswith(b"\x89PNG"):
            return web.json_response({"detail": "no image; send a PNG", "field": "file"}, status=415)
        self.names.append(str(part.filename))
        file_id = f"file-{len(self.names)}"
        self.files[file_id] = data
        return web.json_response({"id": file_id})

    async def delete(self, request: web.Request) -> web.StreamResponse:
        del self.files[request.match_info["file_id"]]
        return web.json_response({"deleted": True})

    async def live(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.turns.append((await request.json())["input"])
        return web.Response(text=SAVED, content_type="text/event-stream")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    gateway = Served()
    app = web.Application(client_max_size=LIMIT * 100)
    app.router.add_get("/healthz", gateway.live)
    app.router.add_post("/v1/files", gateway.take)
    app.router.add_delete("/v1/files/{file_id}", gateway.delete)
    app.router.add_post("/v1/turns", gateway.answer)
    async with gateway_room.served(app, shutdown_timeout=0.1) as gateway.url:
        yield gateway


@pytest.fixture
async def gateway(served: Served) -> AsyncIterator[Gateway]:
    async with gateway_at(served.url, "secret") as connected:
        yield connected


def image(folder: Path, name: str, data: bytes = b"\x89PNG...") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


async def test_images_are_uploaded_and_named_in_their_order(
    served: Served, gateway: Gateway, tmp_path: Path
) -> None:
    asked = Asked("What is this?", None)
    bytes_alone = os.fsdecode(b"b\xff.png")
    paths = [image(tmp_path, name) for name in ("bee.png", 'Bienen"stöcke 🐝.png', bytes_alone)]

    await add_images(gateway, asked, paths)

    assert served.names == ["bee.png", 'Bienen"stöcke 🐝.png', "b\N{REPLACEMENT CHARACTER}.png"]
    assert list(served.files.values()) == [b"\x89PNG..."] * 3
    assert asked.body["input"] == [
        {"type": "input_text", "text": "What is this?"},
        *({"type": "input_image", "file_id": f"file-{number}"} for number in (1, 2, 3)),
    ]
    assert not asked.is_uploading


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"x" * (LIMIT + 1), 413, ".* too large .*Scale it down, or raise FILE_LIMIT_BYTES"),
        (b"x" * (LIMIT * 20_000), 413, ".* far too large .*Scale it down"),
        (b"just text", 415, "no image; send a PNG"),
    ],
    ids=["too large", "far too large", "no image"],
)
async def test_a_refused_image_is_named_and_none_is_kept(
    served: Served, gateway: Gateway, tmp_path: Path, data: bytes, status: int, words: str
) -> None:
    asked = Asked("What is this?", None)
    paths = [image(tmp_path, "bee.png"), image(tmp_path, "big.png", data)]

    with pytest.raises(GatewayError, match=f"big.png: .*status {status}: {words}") as refused:
        await add_images(gateway, asked, paths)

    assert refused.value.status == status
    assert "\n" not in str(refused.value)
    assert served.names == ["bee.png"]
    assert served.files == {}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing.png", "There is no file .*nothing.png"),
        ("folder", "folder is a folder. Name its images one by one"),
        ("x" * 300, "cannot be read: File name too long"),
        ("empty.png", r"empty.png is empty\. Check --image"),
        ("bee.png/cat.png", "cannot be read: Not a directory"),
    ],
)
async def test_what_cannot_be_read_is_said_before_anything_is_sent(
    served: Served, gateway: Gateway, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").touch()
    paths = [image(tmp_path, "bee.png"), tmp_path / name]

    with pytest.raises(CommandFailed, match=words):
        await add_images(gateway, Asked("What is this?", None), paths)

    assert served.names == []


async def test_an_address_is_not_fetched(served: Served, gateway: Gateway) -> None:
    with pytest.raises(
        CommandFailed, match=r"^https://a\.org/b\.png is an address\. Download the image first"
    ):
        await add_images(gateway, Asked("What is this?", None), [Path("https://a.org/b.png")])

    assert served.names == []


async def test_too_many_images_are_not_sent(served: Served, gateway: Gateway, tmp_path: Path) -> None:
    paths = [image(tmp_path, f"{number}.png") for number in range(MOST_IMAGES + 1)]

    with pytest.raises(CommandFailed, match="9 images are too many: at most 8"):
        await add_images(gateway, Asked("What are these?", None), paths)

    assert served.names == []


async def test_no_gateway_is_said_as_ever(tmp_path: Path) -> None:
    async with gateway_at("http://127.0.0.1:1", None) as gateway:
        with pytest.raises(GatewayError, match=r"^No gateway answers at .*Start Pandora with `pandora up`"):
            await add_images(gateway, Asked("What is this?", None), [image(tmp_path, "bee.png")])


# --- the command ---


async def pandora_ask(served: Served, *paths: Path) -> asyncio.subprocess.Process:
    options = [part for path in paths for part in ("--image", str(path))]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "ask", "What is this?", *options),
        env={**os.environ, "PANDORA_URL": served.url, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_asks_about_images(served: Served, tmp_path: Path) -> None:
    process = await pandora_ask(served, image(tmp_path, "bee.png"), image(tmp_path, "cat.png"))
    async with asyncio.timeout(30):
        _, said = await process.communicate()

    assert process.returncode == 0, said
    assert [part.get("file_id") for part in served.turns[0]] == [None, "file-1", "file-2"]


async def test_a_user_who_leaves_during_an_upload_has_asked_nothing(served: Served, tmp_path: Path) -> None:
    process = await pandora_ask(served, image(tmp_path, "bee.png"), image(tmp_path, "cat.png", b"hang"))
    async with asyncio.timeout(30):
        await served.hangs.wait()
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()

    assert process.returncode == 130
    assert said.decode().strip() == "Left. Nothing was asked yet."
    assert (served.names, served.files, served.turns) == (["bee.png"], {}, [])


def test_before_the_images_are_there_no_turn_can_be_found() -> None:
    asked = Asked("What is this?", None)
    asked.is_uploading = True

    assert how_to_find("http://127.0.0.1:9000", asked) == "Nothing was asked yet."
