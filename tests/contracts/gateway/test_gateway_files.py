"""Images over HTTP: in, listed, out again, and what is refused, in front of an orchestrator's real folder."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tenacity import wait_none

from services.gateway.files.names import as_file_name
from services.gateway.files.transfer import upload
from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image
from services.orchestrator.images.uploads import Uploads
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from shared.contract.errors import Refused, Transient
from shared.contract.requests import FileInfo, GetFile, PutFile, Request
from tests.contracts.gateway.gateway_room import Client, gateway_over_http
from tests.contracts.orchestrator.images_room import image_bytes, noise, png_with
from tests.servers.nats import bus_to

LIMIT = 700_000
DATA = png_with("in a chunk")
FORM = "multipart/form-data; boundary=cut"


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(FolderFiles(tmp_path, read_image, lambda: datetime.now(UTC)), limit_bytes=LIMIT)


@pytest.fixture
async def client(bus: Bus, url: str, uploads: Uploads) -> AsyncIterator[Client]:
    async with bus_to(url, "orchestrator") as orchestrator:
        await orchestrator.serve("files", endpoints_of(uploads))
        async with gateway_over_http(bus, file_limit_bytes=LIMIT) as connected:
            yield connected


def part(data: bytes, *, name: str = "file", filename: str | None = "bee.png") -> bytes:
    ending = "" if filename is None else f'; filename="{filename}"'
    return f'--cut\r\nContent-Disposition: form-data; name="{name}"{ending}\r\n\r\n'.encode() + data + b"\r\n"


async def post(client: Client, *parts: bytes, **more: str) -> tuple[int, Any]:
    body = b"".join(parts) + b"--cut--\r\n"
    return await client.call("POST", "/v1/files", body, content_type=FORM, **more)


async def test_an_uploaded_image_is_answered_in_openais_shape(client: Client) -> None:
    before = int(datetime.now(UTC).timestamp())

    status, file = await post(client, part(b"vision", name="purpose", filename=None), part(DATA))

    assert status == 200, file
    assert re.fullmatch(r"file-[0-9a-f-]{36}", file["id"])
    assert before <= file.pop("created_at") <= before + 20
    assert file == {
        "id": file["id"],
        "object": "file",
        "bytes": len(DATA),
        "filename": "bee.png",
        "purpose": "vision",
        "media_type": "image/png",
        "width": 40,
        "height": 30,
    }
    assert (await client.call("GET", f"/v1/files/{file['id']}"))[1]["bytes"] == len(DATA)


async def test_a_name_beyond_ascii_is_kept(client: Client) -> None:
    """As browsers send it; what they say of its type does not count."""
    named = part(DATA, filename="Bienenstöcke 🐝.png")
    typed = named.replace(b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n", 1)

    _, file = await post(client, typed)

    assert (file["filename"], file["media_type"]) == (
        "Bienenstöcke 🐝.png",
        "image/png",
    )


async def test_the_bytes_come_back_as_they_were(client: Client) -> None:
    data = noise("PNG", (460, 460))
    _, file = await post(client, part(data, filename="a b\N{HONEYBEE}.png"))

    async with client.open("GET", f"/v1/files/{file['id']}/content") as response:
        body = await response.read()

    assert response.status == 200
    assert len(data) > 512 * 1024, "more than a piece"
    assert body == data
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-length"] == str(len(data))
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b%F0%9F%90%9D.png"


async def test_files_are_listed_a_page_at_a_time(client: Client) -> None:
    ids = sorted([(await post(client, part(DATA)))[1]["id"] for _ in range(3)])

    _, first = await client.call("GET", "/v1/files?limit=2")
    _, second = await client.call("GET", f"/v1/files?limit=2&after={first['last_id']}&purpose=vision")
    _, nothing = await client.call("GET", "/v1/files", user="bob")

    assert [one["id"] for page in (first, second) for one in page["data"]] == ids
    assert (first["object"], first["has_more"], second["has_more"]) == ("list", True, False)
    assert (first["first_id"], second["last_id"]) == (ids[0], ids[2])
    assert nothing == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert (await client.call("GET", "/v1/files?limit=0"))[0] == 422


async def test_a_deleted_file_is_gone(client: Client) -> None:
    _, file = await post(client, part(DATA))
    at = f"/v1/files/{file['id']}"

    assert await client.call("DELETE", at) == (200, {"id": file["id"], "object": "file", "deleted": True})

    for method, path in (("DELETE", at), ("GET", at), ("GET", f"{at}/content")):
        assert (await client.call(method, path))[0] == 404


async def test_a_strangers_file_is_not_there(client: Client) -> None:
    _, file = await post(client, part(DATA))

    for method, path in (
        ("GET", f"/v1/files/{file['id']}"),
        ("GET", f"/v1/files/{file['id']}/content"),
        ("DELETE", f"/v1/files/{file['id']}"),
        ("GET", "/v1/files/no.such.file"),
        ("GET", f"/v1/files/{'x' * 65}"),
    ):
        status, problem = await client.call(method, path, user="bob")
        assert (status, problem["field"]) == (404, "file_id")
    assert (await client.call("GET", f"/v1/files/{file['id']}"))[0] == 200


@pytest.mark.parametrize(
    ("parts", "status", "said"),
    [
        ([part(b"")], 422, "empty"),
        ([part(DATA, name="image")], 422, "-F file=@"),
        ([part(DATA), part(DATA)], 422, "2 parts"),
        ([part(b"just text", filename=None)], 422, "-F file=@"),
        ([part(DATA, filename=None)], 400, "-F file=@"),
        ([part(b"just text")], 415, "PNG"),
        ([part(noise("JPEG", (60, 60))[:-1500])], 415, "JPEG"),
    ],
    ids=["empty", "other name", "two", "words", "no file name", "text", "half"],
)
async def test_a_form_that_has_no_image_is_refused_with_what_to_send(
    client: Client, parts: list[bytes], status: int, said: str
) -> None:
    answered, problem = await post(client, *parts)

    assert (answered, problem["status"], problem["field"]) == (status, status, "file")
    assert said in problem["detail"]
    assert (await client.call("GET", "/v1/files"))[1]["data"] == []


async def test_a_body_that_is_no_form_is_refused(client: Client) -> None:
    for content_type, body in (
        ("application/json", b"{}"),
        ("image/png", DATA),
        ("multipart/form-data", b"--cut--"),
        (FORM, part(DATA)),
        (FORM, b"no boundary here"),
        (FORM, b""),
    ):
        status, problem = await client.call("POST", "/v1/files", body, content_type=content_type)
        assert status in (400, 422), (content_type, body[:40], problem)
        assert "curl -F file=@" in problem["detail"], problem


async def test_a_file_may_be_as_large_as_the_limit_and_no_larger(client: Client) -> None:
    data = image_bytes()
    most = data + bytes(LIMIT - len(data))  # Bytes after the end of an image do not count.

    fits = await post(client, part(most))
    over = await post(client, part(most + b"x"))
    way_over = await post(client, part(bytes(LIMIT + 300_000)))

    assert fits[0] == 200, fits
    for status, problem in (over, way_over):
        assert (status, problem["field"]) == (413, "file")
        assert "FILE_LIMIT_BYTES" in problem["detail"]


async def test_an_upload_that_comes_without_its_length_is_cut_off_at_the_limit(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield part(b"")[:-2]
        for _ in range(40):
            yield bytes(LIMIT // 4)

    try:
        status, problem = await client.call("POST", "/v1/files", endless(), content_type=FORM)
    except aiohttp.ClientOSError:  # The gateway closed while more was being sent.
        return
    assert (status, problem["field"]) == (413, "file")


async def test_without_a_key_nothing_is_uploaded(client: Client) -> None:
    status, problem = await post(client, part(DATA), x_api_key="wrong")

    assert (status, problem["status"]) == (401, 401)


async def test_no_orchestrator_is_said(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        status, _ = await post(client, part(DATA))

    assert status == 503


# --- over the bus ---


class Faltering:
    """An orchestrator whose answers get lost now and then."""

    def __init__(self, uploads: Uploads, *, lost: int) -> None:
        self._filing = uploads
        self._lost = lost

    async def __call__(self, request: Request[Any], timeout_seconds: float | None = None, /) -> Any:
        assert isinstance(request, PutFile)
        reply = await self._filing.put(request)
        if self._lost:
            self._lost -= 1
            raise Transient("no answer to file.put in time")
        return reply


async def test_pieces_whose_answers_got_lost_are_put_again(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.files.transfer._RETRY.wait", wait_none())
    data = noise("PNG", (460, 460))

    info = await upload(Faltering(uploads, lost=2), "alice", "file-1", "bee.png", data)

    assert isinstance(info, FileInfo)
    assert await uploads.get(GetFile(user="alice", file_id="file-1")) == info
    assert await upload(Faltering(uploads, lost=0), "alice", "file-1", "bee.png", data) == info
    with pytest.raises(Transient):
        await upload(Faltering(uploads, lost=3), "alice", "file-2", "bee.png", data)
    with pytest.raises(Refused):
        await upload(Faltering(uploads, lost=0), "alice", "file-1", "bee.png", DATA)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("bee.png", "bee.png"),
        (r"C:\fakepath\bee.png", "bee.png"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nb\u202egnp.exe", "abgnp.exe"),
        ("Bienenstöcke 🐝.png", "Bienenstöcke 🐝.png"),
        ("///", "image"),
        ("", "image"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_is_what_can_be_seen_of_it(sent: str, name: str) -> None:
    assert as_file_name(sent) == name
