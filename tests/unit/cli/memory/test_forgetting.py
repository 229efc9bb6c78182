"""`pandora forget` against a small real server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl

import pytest
import typer
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cli.client.gateway import gateway_at
from cli.memory import forgetting
from cli.memory.forgetting import ForgettingClient
from cli.terminal.failure import CommandFailed
from shared.contract.events import ANY_SESSION_PATTERN
from tests.unit.cli.gateway_room import served

STORES = [
    {"store": "turns", "removed": 1200, "erased": True, "remains": ""},
    {"store": "points", "removed": 3, "erased": False, "remains": "the Qdrant server"},
    {"store": "streams", "removed": 4, "erased": False, "remains": ""},
]


def receipt(state: str, **more: Any) -> dict[str, Any]:
    return {
        "forget_id": "f1",
        "user": "alice",
        "scope": "user",
        "target": "",
        "requested_at": "2026-03-14T09:26:53Z",
        "state": state,
        "erased_by": "2026-03-14T09:27:53Z",
        "stores": STORES,
        "turns": ["t1"],
        "answers": [],
        "remains": ["backups"],
        **more,
    }


class Gateway:
    """Answers a look at the receipt with the next of `looks`; a status is a refusal."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.looks: list[str | int] = []
        self.sessions = 2
        self.url = ""

    async def delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.raw_path)
        if request.match_info["what"] == "turns/missing":
            return web.json_response({"detail": "there is no ended turn missing"}, status=404)
        if request.match_info["what"].startswith("users/bob"):
            return web.json_response({"detail": "alice may not name the user bob"}, status=403)
        return web.json_response(receipt("forgotten"))

    async def look(self, request: web.Request) -> web.Response:
        state = self.looks.pop(0)
        if isinstance(state, int):
            return web.json_response({"detail": "nothing was forgotten under f1 yet"}, status=state)
        return web.json_response(receipt(state))

    async def list_sessions(self, request: web.Request) -> web.Response:
        sessions = [{"session_id": f"s/{n}", "turns": n, "messages": 2 * n + 1} for n in range(self.sessions)]
        asked = request.query.get("session_id")
        found = [one for one in sessions if asked in (None, one["session_id"])]
        return web.json_response({"sessions": found[:100], "next_cursor": "more" if found[100:] else None})


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(forgetting, "_LOOK_SECONDS", 0.0)
    running = Gateway()
    app = web.Application()
    app.router.add_get("/v1/sessions", running.list_sessions)
    app.router.add_get("/v1/users/{user}/forgets/{forget_id}", running.look)
    app.router.add_delete("/v1/{what:.*}", running.delete)
    async with served(app) as running.url:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[ForgettingClient]:
    async with gateway_at(gateway.url, "secret") as connected:
        yield ForgettingClient(connected)


async def test_it_waits_until_the_bytes_are_gone(gateway: Gateway, client: ForgettingClient) -> None:
    gateway.looks = [404, "pending", "forgotten", "erased"]

    answer = await client.until(await client.forget("users/me/data", now=True), "erased")

    assert answer["state"] == "erased"
    assert gateway.deleted == ["/v1/users/me/data?now=true"]
    assert gateway.looks == []


async def test_a_refusal_says_what_to_do(gateway: Gateway, client: ForgettingClient) -> None:
    with pytest.raises(CommandFailed, match=r"status 404: there is no ended turn missing\.$"):
        await client.forget("turns/missing", now=False)
    with pytest.raises(CommandFailed, match="Set PANDORA_API_KEY to an admin's key"):
        await client.forget("users/bob/data", now=False)
    gateway.looks = [503]
    with pytest.raises(CommandFailed, match="See `pandora status`"):
        await client.until(receipt("pending"), "forgotten")


async def test_where_no_gateway_answers_the_error_says_so() -> None:
    async with gateway_at("http://127.0.0.1:9", None) as nothing:
        with pytest.raises(CommandFailed, match="Start Pandora"):
            await ForgettingClient(nothing).forget("turns/t1", now=False)


async def test_what_would_go_is_counted_where_it_can_be(gateway: Gateway, client: ForgettingClient) -> None:
    assert await client.size_of_session("s/0") == "1 message"
    assert await client.size_of_session("s/1") == "1 turn, 3 messages"
    assert await client.size_of_session("elsewhere") == ""
    gateway.sessions = 5
    assert await client.size_of_all() == "10 turns, 25 messages"
    gateway.sessions = 101
    assert await client.size_of_all() == ""


@given(st.from_regex(ANY_SESSION_PATTERN, fullmatch=True))
def test_the_path_of_a_session_names_it_and_nothing_else(name: str) -> None:
    path, _, query = forgetting.session_path(name).partition("?")

    assert (path, parse_qsl(query, keep_blank_values=True)) == ("sessions", [("session_id", name)])


def test_nothing_is_forgotten_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    with pytest.raises(CommandFailed, match="--yes"):
        forgetting.confirm("turn t1", yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    with pytest.raises(CommandFailed, match="Nothing was forgotten"):
        forgetting.confirm("turn t1", yes=False)
    forgetting.confirm("turn t1", yes=True)


AT = datetime(2026, 3, 14, 9, 27, 0, tzinfo=UTC)
LATE = AT + timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "now", "says"),
    [
        ("pending", AT, "goes on by itself. To look again: pandora forget receipt f1 --user alice"),
        ("pending", LATE, "longer than it should. Not yet gone from: streams. A turn that still runs may"),
        ("forgotten", AT, "Its bytes are gone by 2026-03-14T09:27:53 UTC. To look again"),
        (
            "forgotten",
            LATE,
            "not all gone yet, which goes on by itself. It takes longer than it should. Not yet",
        ),
        ("erased", LATE, "Forgotten, and its bytes are gone."),
    ],
)
def test_it_says_how_far_it_is(state: str, now: datetime, says: str) -> None:
    assert says in forgetting.how_far(receipt(state), now)


@pytest.mark.parametrize("state", ["pending", "forgotten"])
def test_a_past_time_is_no_promise(state: str) -> None:
    said = forgetting.how_far(receipt(state, stores=[]), LATE)

    assert "09:27" not in said
    assert "Not yet gone from" not in said
    assert "see `pandora status`" in said


def test_a_receipt_is_shown_store_by_store(capsys: pytest.CaptureFixture[str]) -> None:
    forgetting._show(receipt("erased"), as_json=False)

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "store removed bytes",
        "turns 1,200 gone",
        "points 3 remain in the Qdrant server",
        "streams 4 not yet gone",
    ]
    assert "t1" in lines
    assert "backups" in lines
    assert lines[-1] == "Forgotten, and its bytes are gone."
