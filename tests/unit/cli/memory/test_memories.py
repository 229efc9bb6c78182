"""`pandora memories` against a small real server."""

from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console

from cli.client.gateway import gateway_at
from cli.memory.memories import MemoriesClient, _beginning, _by, _table
from cli.terminal.failure import CommandFailed
from tests.unit.cli.gateway_room import served

IDS = [f"019a0000-0000-7000-8000-{n:012}" for n in range(250)]


async def get_page(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") != "Bearer secret":
        return web.json_response({"title": "A valid API key is needed"}, status=401)
    first = int(request.query.get("cursor", "0"))
    page = [{"memory_id": one} for one in IDS[first : first + int(request.query["limit"])]]
    following = first + len(page)
    return web.json_response(
        {"memories": page, "next_cursor": str(following) if following < len(IDS) else None}
    )


async def get_memory(request: web.Request) -> web.Response:
    match request.match_info["memory_id"]:
        case "html":
            return web.Response(text="<html>a proxy</html>")
        case "away":
            return web.json_response({"detail": "nobody answers"}, status=503)
        case "a/b":
            return web.json_response({"memory_id": "a/b"})
    return web.json_response({"detail": "there is no memory x."}, status=404)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/v1/memories", get_page)
    app.router.add_get("/v1/memories/{memory_id}", get_memory)
    async with served(app) as address:
        yield address


@pytest.fixture
async def client(url: str) -> AsyncIterator[MemoriesClient]:
    async with gateway_at(url, "secret") as gateway:
        yield MemoriesClient(gateway)


async def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(client: MemoriesClient) -> None:
    assert await client.id_of(IDS[249]) == IDS[249]
    assert await client.id_of("019a0000-0000-7000-8000-000000000249") == IDS[249]
    assert await client.id_of("unknown") == "unknown"
    with pytest.raises(CommandFailed, match="250 ids begin with 019a"):
        await client.id_of("019a")


@pytest.mark.parametrize(
    ("memory_id", "words"),
    [
        ("html", r"is not a gateway\. Check PANDORA_URL"),
        ("away", r"status 503: nobody answers\. See `pandora status`"),
        ("x", r"status 404: there is no memory x\.$"),
    ],
)
async def test_a_refusal_says_what_to_do(client: MemoriesClient, memory_id: str, words: str) -> None:
    with pytest.raises(CommandFailed, match=words):
        await client.show(memory_id)


async def test_who_has_no_key_is_told(url: str) -> None:
    async with gateway_at(url, None) as gateway:
        with pytest.raises(CommandFailed, match=r"status 401: .*Set PANDORA_API_KEY"):
            await MemoriesClient(gateway).page(limit="20")


async def test_an_id_is_no_path(client: MemoriesClient) -> None:
    assert (await client.show("a/b"))["memory_id"] == "a/b"


async def test_without_a_gateway_one_is_told_how_to_start_it() -> None:
    async with gateway_at("http://127.0.0.1:1", None) as gateway:
        with pytest.raises(CommandFailed, match="pandora up"):
            await MemoriesClient(gateway).page()


def test_ids_are_shown_as_far_as_they_differ() -> None:
    page: list[dict[str, Any]] = [{"memory_id": one} for one in (IDS[0], IDS[1], "0192f0c1-2d3e")]

    shown = [_beginning(one["memory_id"], page) for one in page]
    assert len(set(shown)) == 3
    assert shown[2] == "0192f0c1"


def test_the_source_is_said_in_words() -> None:
    assert _by({"made_by": "user", "session_id": ""}) == "you"
    assert _by({"made_by": "reflector", "session_id": "kitchen"}) == "the reflector in kitchen"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_ids_and_dates_stay_whole(width: int) -> None:
    page = [known(IDS[0], "current", None), known(IDS[1], "superseded", "2026-11-21T09:00:00Z")]
    console = Console(width=width, file=StringIO())

    console.print(_table(page))

    assert isinstance(console.file, StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    words = " ".join(" ".join(lines).split())
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == IDS[:2]
    assert "fact, 90% sure, since 2026-01-02; from you" in words
    assert "fact, superseded, 90% sure, 2026-01-02 to 2026-11-21; from you" in words
    assert all(len(line) <= width for line in lines)


def known(memory_id: str, status: str, ends: str | None) -> dict[str, Any]:
    return {
        "memory_id": memory_id,
        "text": "I live in Lisbon, and keep bees on the roof.",
        "kind": "fact",
        "confidence": 0.9,
        "valid_from": "2026-01-02T08:00:00Z",
        "valid_to": ends,
        "status": status,
        "evidence": [{"made_by": "user", "session_id": ""}],
    }
