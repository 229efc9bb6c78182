"""Images in what is said to the gateway: as parts, from files or inline, kept before the turn is."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.gateway.turns.idempotency import Promise, hash_of_body
from services.gateway.turns.nats import BusPromises
from services.gateway.turns.views import NewTurn
from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image
from services.orchestrator.images.uploads import Uploads
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from shared.contract.events import TurnRequested, decode
from shared.contract.requests import FileInfo, GetFile, ListFiles
from tests.contracts.gateway.gateway_room import Client, Orchestrator, gateway_over_http
from tests.contracts.orchestrator.images_room import image_bytes
from tests.servers.nats import bus_to, state

LIMIT = 64 * 1024


@pytest.fixture
async def client(bus: Bus, url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with bus_to(url, "orchestrator") as other:
        files = FolderFiles(tmp_path / "files", read_image, lambda: datetime.now(UTC))
        uploads = Uploads(files, limit_bytes=LIMIT)
        await other.serve("files and a few lines", endpoints_of(Orchestrator(), uploads))
        async with gateway_over_http(bus, input_limit_bytes=1000, file_limit_bytes=LIMIT) as connected:
            yield connected


def inline(data: bytes, form: str = "png") -> dict[str, str]:
    return {
        "type": "input_image",
        "image_url": f"data:image/{form};base64,{base64.b64encode(data).decode()}",
    }


def words(text: str = "What is this?") -> dict[str, str]:
    return {"type": "input_text", "text": text}


async def turns(bus: Bus) -> list[TurnRequested]:
    count = (await state(bus, "TURNS")).messages
    stored = [await bus.jetstream.get_msg("TURNS", seq=number) for number in range(1, count + 1)]
    return [decode(TurnRequested, message.data or b"") for message in stored]


async def files(bus: Bus, user: str = "alice") -> list[FileInfo]:
    return (await bus.ask(ListFiles(user=user))).files


async def refused(client: Client, *parts: Any) -> tuple[int, dict[str, Any]]:
    status, problem = await client.call("POST", "/v1/turns", {"input": list(parts)})
    assert problem["field"] == "input" or problem["field"].startswith("input["), problem
    return status, problem


async def test_parts_are_words_and_images_in_their_order(bus: Bus, client: Client) -> None:
    body = {"input": [words("Look."), inline(image_bytes()), words("What is it?")]}

    status, accepted = await client.call("POST", "/v1/turns", body)

    assert status == 202
    [turn] = await turns(bus)
    assert turn.input == "Look.\nWhat is it?"
    assert turn.images == [f"file-{accepted['id']}-1"]
    info = await bus.ask(GetFile(user="alice", file_id=turn.images[0]))
    assert (info.name, info.media_type, info.width, info.height) == ("image_1.png", "image/png", 40, 30)


async def test_a_file_is_named_by_its_id_and_stored_once(bus: Bus, client: Client) -> None:
    await client.call("POST", "/v1/turns", {"input": [words(), inline(image_bytes())]})
    [known] = await files(bus)
    named = {"type": "input_image", "file_id": known.file_id}

    status, _ = await client.call("POST", "/v1/turns", {"input": [words(), named]})

    assert status == 202
    assert [turn.images for turn in await turns(bus)] == [[known.file_id]] * 2
    assert await files(bus) == [known]


async def test_another_users_file_is_not_there(bus: Bus, client: Client) -> None:
    await client.call("POST", "/v1/turns", {"input": [words(), inline(image_bytes())]}, user="bob")
    [of_bob] = await files(bus, "bob")

    status, problem = await refused(client, words(), {"type": "input_image", "file_id": of_bob.file_id})

    assert status == 422
    assert of_bob.file_id in problem["detail"]
    assert len(await turns(bus)) == 1


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([{"type": "input_image", "image_url": "https://example.org/cat.png"}], "not fetched"),
        ([{"type": "input_image", "image_url": "data:text/plain;base64,AAAA"}], "data:image/"),
        ([{"type": "input_image", "image_url": "data:image/png;base64,%%%"}], "not base64"),
        ([{"type": "input_image", "image_url": "data:image/png;base64,"}], "empty"),
        ([{"type": "input_image"}], "one of file_id and image_url"),
        ([{"type": "input_image", "file_id": "a", "image_url": "data:,"}], "one of file_id and image_url"),
        ([{"type": "input_image", "file_id": "../a"}], "file_id"),
        ([{"type": "input_image", "file_id": "a"}] * 9, "at most 8"),
        ([{"type": "input_audio", "data": "AAAA"}], "input_audio"),
    ],
)
async def test_what_is_no_image_is_refused_by_name_and_no_turn_is_stored(
    bus: Bus, client: Client, parts: list[Any], told: str
) -> None:
    status, problem = await refused(client, words(), *parts)

    assert status == 422
    assert told in problem["detail"] + problem["field"]
    assert await turns(bus) == []
    assert await files(bus) == []


async def test_an_image_that_is_wrong_is_told_before_words_that_are_missing(client: Client) -> None:
    status, problem = await refused(client, {"type": "input_image", "image_url": "http://example.org/a.png"})

    assert (status, "not fetched" in problem["detail"]) == (422, True)


async def test_images_without_words_are_refused(bus: Bus, client: Client) -> None:
    status, problem = await refused(client, inline(image_bytes()))

    assert (status, "say" in problem["detail"]) == (422, True)
    assert await files(bus) == []


async def test_what_only_says_that_it_is_an_image_is_refused(bus: Bus, client: Client) -> None:
    status, _ = await refused(client, words(), inline(b"not an image at all"))

    assert status == 415
    assert await turns(bus) == []
    assert await files(bus) == []


async def test_an_image_that_is_too_large_is_refused_with_the_setting(bus: Bus, client: Client) -> None:
    status, problem = await refused(client, words(), inline(bytes(LIMIT + 1)))

    assert status == 413
    assert "FILE_LIMIT_BYTES" in problem["detail"]
    assert await turns(bus) == []


async def test_a_repeat_with_its_key_is_the_same_turn_with_the_same_file(bus: Bus, client: Client) -> None:
    body = {"input": [words(), inline(image_bytes())]}

    answers = [await client.call("POST", "/v1/turns", body, idempotency_key="one") for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(await turns(bus)) == len(await files(bus)) == 1


async def test_a_gateway_that_died_before_its_images_were_kept_has_them_kept_by_the_next(
    bus: Bus, client: Client
) -> None:
    body = {"input": [words(), inline(image_bytes())]}
    hashed = hash_of_body(msgspec.convert(body, NewTurn))
    promise = Promise(turn_id="t42", session_id="drawn", body_hash=hashed)
    await BusPromises(bus).make("alice", "one", promise)

    status, _ = await client.call("POST", "/v1/turns", body, idempotency_key="one")

    assert status == 202
    assert [turn.images for turn in await turns(bus)] == [["file-t42-1"]]
    assert [info.file_id for info in await files(bus)] == ["file-t42-1"]


async def test_a_refused_image_does_not_use_up_the_key(bus: Bus, client: Client) -> None:
    bad = {"input": [words(), inline(b"no image")]}
    good = {"input": [words(), inline(image_bytes())]}

    first, _ = await client.call("POST", "/v1/turns", bad, idempotency_key="one")
    second, _ = await client.call("POST", "/v1/turns", good, idempotency_key="one")

    assert (first, second) == (415, 202)


async def test_a_body_that_is_too_large_says_where_images_go_instead(bus: Bus, client: Client) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield bytes(1024 * 1024)

    status, problem = await client.call("POST", "/v1/turns", body())

    assert status == 413
    assert "/v1/files" in problem["detail"]
    assert await turns(bus) == []
