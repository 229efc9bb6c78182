"""All that is held of a user, over HTTP, in front of real documents and of an indexer of a few lines."""

import json
import time
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from tenacity import stop_after_attempt

from services.indexer.messages.exports import MessageExport as MessagesOut
from services.orchestrator.documents.archive import TurnArchive
from services.orchestrator.documents.export import DocumentExport
from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image
from services.orchestrator.images.uploads import Uploads
from services.orchestrator.recipes.nats import BusSessionRecipes
from services.orchestrator.recipes.sessions import Sessions
from services.orchestrator.recipes.toml import RecipeFiles
from shared.bus.connection import Bus
from shared.bus.endpoints import Endpoint, endpoint, endpoints_of
from shared.contract.errors import Transient
from shared.contract.events import encode
from shared.contract.requests import (
    HeldMessage,
    ListMemories,
    ListMemoriesReply,
    ListResearch,
    ListResearchReply,
    ListTurns,
    ListTurnsReply,
    TurnRecord,
)
from tests.contracts.gateway.gateway_room import Client, gateway_over_http
from tests.contracts.messages.sampled_research import PAGE
from tests.contracts.messages.samples import ALL
from tests.contracts.orchestrator.images_room import image_bytes, noise, pieces
from tests.servers.nats import bus_to
from tests.stack import ROOT
from tests.unit.samples import AT

WHAT_ALICE_SAID = [
    HeldMessage(
        session_id=f"s{number // 700}",
        message_id=f"m{number}",
        speaker="Mira",
        text=f"Fact {number} \N{HONEYBEE}",
        at=AT,
        ordinal=number % 700,
    )
    for number in range(1500)
]

PAGES = [
    msgspec.structs.replace(PAGE, research_id=f"r{number}", text=f"Page {number} \N{HONEYBEE}\n" * 1000)
    for number in range(5)
]
"""That were fetched for Alice."""


class Shelf:
    """An indexer that holds Alice's messages and pages, two answers of memories, and none of Bob's."""

    def __init__(self) -> None:
        self.away = 0
        """Questions that it will not answer."""

    def endpoints(self) -> list[Endpoint]:
        return endpoints_of(MessagesOut(self), self)

    async def page(
        self, user: str, after_session: str | None, after_ordinal: int, *, limit: int
    ) -> list[HeldMessage]:
        if self.away and after_session:
            self.away -= 1
            raise Transient("the database is away")
        place = (after_session or "", after_ordinal)
        held = WHAT_ALICE_SAID if user == "alice" else []
        return [one for one in held if (one.session_id, one.ordinal) > place][:limit]

    @endpoint
    async def memories(self, request: ListMemories) -> ListMemoriesReply:
        assert request.where.with_history
        reply = ALL["memories.list.reply"]
        assert isinstance(reply, ListMemoriesReply)
        if request.user != "alice":
            return ListMemoriesReply(memories=[])
        return ListMemoriesReply(memories=reply.memories, next_cursor=None if request.cursor else "c2")

    @endpoint
    async def research(self, request: ListResearch) -> ListResearchReply:
        left = [page for page in PAGES if page.research_id > request.after]
        held = left if request.user == "alice" else []
        return ListResearchReply(pages=held[:2], more=len(held) > 2)

    @endpoint
    async def turns(self, request: ListTurns) -> ListTurnsReply:
        reply = ALL["index.list.reply"]
        assert isinstance(reply, ListTurnsReply)
        return ListTurnsReply(turns=reply.turns if request.user == "alice" else [])


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def documents(tmp_path: Path) -> FolderDocuments:
    return FolderDocuments(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "files", read_image, lambda: AT)


@pytest.fixture
async def client(
    bus: Bus, url: str, shelf: Shelf, documents: FolderDocuments, files: FolderFiles, tmp_path: Path
) -> AsyncIterator[Client]:
    archive = TurnArchive(FolderArchive(tmp_path), time.time, after_days=90, is_busy=lambda: False)
    async with bus_to(url, "indexer") as indexer, bus_to(url, "orchestrator") as orchestrator:
        await indexer.serve("a few lines", shelf.endpoints())
        uploads = Uploads(files, limit_bytes=10_000_000)
        recipes = RecipeFiles(ROOT / "recipes", ROOT / "roles.toml", "direct")
        sessions = Sessions(BusSessionRecipes(orchestrator), recipes, lambda: AT)
        endpoints = endpoints_of(DocumentExport(documents), archive, uploads, sessions)
        await orchestrator.serve("documents", endpoints)
        async with gateway_over_http(bus, admin_users="alice") as connected:
            yield connected


async def written(documents: FolderDocuments, number: int, user: str = "alice") -> dict[str, str]:
    record = ALL["turns.get.reply"]
    assert isinstance(record, TurnRecord)
    about = json.loads(encode(record)) | {"turn_id": f"t{number}", "turn_number": number, "user": user}
    files = {
        "context.md": f"# Turn {number} \N{HONEYBEE}\n" * 20_000,
        "empty.md": "",
        "metadata.json": json.dumps(about),
    }
    await documents.write(number, f"t{number}", files)
    return files


async def exported(client: Client, path: str = "/v1/users/me/export", **more: str) -> zipfile.ZipFile:
    async with client.open("GET", path, **more) as response:
        body = await response.read()
        assert response.status == 200, body
        assert response.content_type == "application/zip"
        assert response.headers["content-disposition"].startswith('attachment; filename="pandora-')
    opened = zipfile.ZipFile(BytesIO(body))
    assert opened.testzip() is None
    return opened


def lines(opened: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in opened.read(name).splitlines()]


async def test_an_export_holds_all_that_is_held(
    client: Client, documents: FolderDocuments, tmp_path: Path
) -> None:
    files = {number: await written(documents, number) for number in (3, 41, 42)}
    await written(documents, 43, "bob")
    await FolderArchive(tmp_path).pack("000/turn_000003")

    opened = await exported(client)

    assert [line["message_id"] for line in lines(opened, "messages.ndjson")] == [
        one.message_id for one in WHAT_ALICE_SAID
    ]
    assert lines(opened, "messages.ndjson")[7] == {
        "user": "alice",
        "session_id": "s0",
        "message_id": "m7",
        "speaker": "Mira",
        "text": "Fact 7 \N{HONEYBEE}",
        "at": AT.isoformat().replace("+00:00", "Z"),
    }
    assert len(lines(opened, "memories.ndjson")) == 2
    pages = lines(opened, "research.ndjson")
    assert [page["text"] for page in pages] == [page.text for page in PAGES]
    assert pages[0].keys() == (msgspec.to_builtins(PAGE).keys() | {"characters"}) - {"similarity"}
    assert lines(opened, "turns.ndjson")
    for number, texts in files.items():
        for name, text in texts.items():
            assert opened.read(f"turns/{number:06d}_t{number}/{name}").decode() == text
    names = opened.namelist()
    assert len(names) == len(set(names)) == 7 + 9
    assert names[-1] == "manifest.json"
    manifest = json.loads(opened.read("manifest.json"))
    assert (manifest["format"], manifest["user"]) == (1, "alice")
    assert manifest["counts"] == {
        "messages": 1500,
        "memories": 2,
        "research": 5,
        "files": 0,
        "turns": len(lines(opened, "turns.ndjson")),
        "sessions": 0,
        "folders": 3,
        "documents": 9,
    }


async def test_files_are_exported_as_they_were_sent(client: Client, files: FolderFiles) -> None:
    sent = {"file-1": noise("PNG", (500, 500)), "file-2": image_bytes("JPEG")}
    for file_id, data in sent.items():
        for piece in pieces(data, file_id=file_id):
            await files.put(piece)
    await files.put(pieces(image_bytes(), user="bob", file_id="file-3")[0])

    opened = await exported(client)

    assert opened.read("files/file-1.png") == sent["file-1"]
    assert opened.read("files/file-2.jpg") == sent["file-2"]
    assert [line["file_id"] for line in lines(opened, "files.ndjson")] == ["file-1", "file-2"]
    assert not any("file-3" in name for name in opened.namelist())
    assert json.loads(opened.read("manifest.json"))["counts"]["files"] == 2


async def test_what_is_set_for_sessions_is_exported_as_it_is_told(
    client: Client, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.orchestrator.recipes.sessions._PAGE", 2)
    names = ["attic", "garden", "kitchen"]
    for name in names:
        assert (await client.call("PATCH", f"/v1/sessions/{name}", {"recipe": "standard"}))[0] == 200
    assert (await client.call("PATCH", "/v1/sessions/hall", {"recipe": "direct"}, user="bob"))[0] == 200

    opened = await exported(client)

    told = [(await client.call("GET", f"/v1/sessions/{name}"))[1] for name in names]
    assert lines(opened, "sessions.ndjson") == told
    assert json.loads(opened.read("manifest.json"))["counts"]["sessions"] == 3


async def test_a_file_that_is_deleted_meanwhile_is_left_out(
    client: Client, files: FolderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its listing its line is left: the manifest counts what is there."""
    for file_id in ("file-1", "file-2"):
        await files.put(pieces(image_bytes(), file_id=file_id)[0])
    read = files.read

    async def delete_and_read(user: str, file_id: str, offset: int, size: int) -> bytes | None:
        if file_id == "file-1":
            await files.remove(user, [file_id])
        return await read(user, file_id, offset, size)

    monkeypatch.setattr(files, "read", delete_and_read)

    opened = await exported(client)

    assert [name for name in opened.namelist() if name.startswith("files/")] == ["files/file-2.png"]
    assert json.loads(opened.read("manifest.json"))["counts"]["files"] == 1


async def test_of_whom_nothing_is_held_the_export_is_empty(client: Client) -> None:
    opened = await exported(client, user="bob")

    assert opened.read("messages.ndjson") == opened.read("memories.ndjson") == b""
    assert set(json.loads(opened.read("manifest.json"))["counts"].values()) == {0}


async def test_an_admin_exports_any_user_and_the_others_themselves(client: Client) -> None:
    of_bob = await exported(client, "/v1/users/bob/export")
    own = await exported(client, "/v1/users/bob/export", user="bob")
    status, problem = await client.call("GET", "/v1/users/alice/export", user="bob")

    assert json.loads(of_bob.read("manifest.json"))["user"] == "bob"
    assert json.loads(own.read("manifest.json"))["user"] == "bob"
    assert (status, problem["field"]) == (404, "user")


async def test_an_indexer_that_is_away_for_a_moment_does_not_break_an_export(
    client: Client, shelf: Shelf
) -> None:
    shelf.away = 2

    opened = await exported(client)

    assert len(lines(opened, "messages.ndjson")) == 1500


async def test_a_service_that_is_away_is_said_before_anything_is_sent(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        status, problem = await client.call("GET", "/v1/users/me/export")

    assert (status, problem["status"]) == (503, 503)


async def test_an_export_that_breaks_off_is_no_zip(
    client: Client, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.exports.export._RETRY.stop", stop_after_attempt(1))
    shelf.away = 1

    with pytest.raises(aiohttp.ClientPayloadError):
        await exported(client)


async def test_an_admin_has_old_turns_archived(
    client: Client, documents: FolderDocuments, tmp_path: Path
) -> None:
    await written(documents, 3)

    would = await client.call("POST", "/v1/admin/archive?older_than_days=0&dry_run=true")
    done = await client.call("POST", "/v1/admin/archive?older_than_days=0")
    again = await client.call("POST", "/v1/admin/archive")
    stranger = await client.call("POST", "/v1/admin/archive", user="bob")
    wrong = await client.call("POST", "/v1/admin/archive?older_than_days=-1")

    assert would[1]["turns"] == done[1]["turns"] == 1
    assert 0 == would[1]["bytes_after"] < done[1]["bytes_after"] < done[1]["bytes_before"]
    assert again == (200, {"turns": 0, "bytes_before": 0, "bytes_after": 0, "left": 0})
    assert (stranger[0], wrong[0]) == (403, 422)
    assert (tmp_path / "archive").exists()
