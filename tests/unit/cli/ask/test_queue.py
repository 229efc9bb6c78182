"""One's turns that have not ended: listed by `pandora approve`, stopped by `pandora cancel`, counted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from cli.ask import approvals, queue
from cli.ask.queue import lines_of, queued_turns
from cli.client.gateway import Gateway, gateway_at
from cli.main import app
from tests.unit.cli.gateway_room import Answering, served

TURNS: list[dict[str, Any]] = [
    {"id": f"t{number}", "input": "buy milk " * 20, "status": "waiting", "calls": []} for number in range(3)
]
CALL = {"key": "1.n", "tool": "notes.add", "arguments": {"text": "milk"}, "for_client": False}


async def get_queue(request: web.Request) -> web.Response:
    """A turn a page."""
    place = int(request.query.get("cursor", "0"))
    assert request.query["status"] == "waiting"
    following = str(place + 1) if place + 1 < len(TURNS) else None
    return web.json_response({"turns": [TURNS[place]], "next_cursor": following})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    routes = web.Application()
    routes.router.add_get("/v1/queue", get_queue)
    async with served(routes) as url, gateway_at(url, "secret") as connected:
        yield connected


async def test_every_page_is_read(gateway: Gateway) -> None:
    assert await queued_turns(gateway, "waiting") == TURNS


def test_the_turns_that_wait_are_listed_with_what_to_do() -> None:
    lines = lines_of([TURNS[0] | {"calls": [CALL]}, TURNS[1]])

    assert lines[0].startswith("t0  buy milk buy milk")
    assert all(len(line) <= 110 for line in lines)
    assert lines[1] == '  --call 1.n  notes.add {"text": "milk"}'
    assert lines[2].startswith("t1  ")
    assert "`pandora approve t0`, or `pandora deny`" in lines[-1]
    assert lines_of([]) == ["No turn of yours waits for an answer."]


def test_a_call_that_its_client_makes_is_not_to_be_allowed() -> None:
    lines = lines_of([TURNS[0] | {"calls": [CALL | {"for_client": True}]}])

    assert lines[1] == '  made by its client  notes.add {"text": "milk"}'


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_without_an_id_nothing_is_answered(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    told = Answering({"turns": TURNS[:1], "next_cursor": None}).stand_in(monkeypatch, approvals, queue)

    result = CliRunner().invoke(app, [command])

    assert result.exit_code == 0
    assert result.stdout.startswith("t0  buy milk")
    assert [method for method, _ in told.asked] == ["GET"]


def test_a_call_without_its_turn_is_refused() -> None:
    assert "Give the id of the turn" in str(CliRunner().invoke(app, ["approve", "--call", "1.n"]).exception)


@pytest.mark.parametrize(
    ("found", "done", "code", "said"),
    [
        ("waiting", True, 0, "Cancelled."),
        ("cancelled", True, 0, "It was cancelled before."),
        ("saved", False, 1, "Too late: the turn has ended (saved)."),
    ],
)
def test_a_turn_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, found: str, done: bool, code: int, said: str
) -> None:
    told = Answering({"found": found, "done": done}).stand_in(monkeypatch, approvals, queue)

    result = CliRunner().invoke(app, ["cancel", "t/42"])

    assert (result.exit_code, result.stdout.strip()) == (code, said)
    assert told.asked == [("POST", "/v1/turns/t%2F42/cancel")]
