"""One's turns that have not ended: listed by `pandora approve`, stopped by `pandora cancel`, counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from cli import approving, queue, status
from cli.client import Gateway, GatewayError, gateway_at
from cli.main import app
from cli.queue import lines_of, queued_turns
from cli.status import OwnTurns
from cli.status_tables import _own_turns

TURNS: list[dict[str, Any]] = [
    {"id": f"t{number}", "input": "buy milk " * 20, "status": "waiting", "calls": []} for number in range(3)
]
CALL = {"key": "1.n", "tool": "notes.add", "arguments": {"text": "milk"}}


async def get_queue(request: web.Request) -> web.Response:
    """A turn a page."""
    place = int(request.query.get("cursor", "0"))
    assert request.query["status"] == "waiting"
    following = str(place + 1) if place + 1 < len(TURNS) else None
    return web.json_response({"turns": [TURNS[place]], "next_cursor": following})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    served = web.Application()
    served.router.add_get("/v1/queue", get_queue)
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with gateway_at(f"http://127.0.0.1:{runner.addresses[0][1]}", "secret") as connected:
        yield connected
    await runner.cleanup()


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


class Answering:
    """The gateway, with answers that a test has chosen."""

    def __init__(self, answer: dict[str, Any] | GatewayError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        self.asked.append((method, path))
        if isinstance(self.answer, GatewayError):
            raise self.answer
        return self.answer

    @asynccontextmanager
    async def connect(self, timeout: object = None) -> AsyncIterator["Answering"]:
        yield self

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> "Answering":
        for module in (approving, queue, status):
            monkeypatch.setattr(module, "own_gateway", self.connect)
        return self


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_without_an_id_nothing_is_answered(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    told = Answering({"turns": TURNS[:1], "next_cursor": None}).stand_in(monkeypatch)

    result = CliRunner().invoke(app, [command])

    assert result.exit_code == 0
    assert result.stdout.startswith("t0  buy milk")
    assert [method for method, _ in told.asked] == ["GET"]


def test_a_call_without_its_turn_is_refused() -> None:
    assert "name the turn" in str(CliRunner().invoke(app, ["approve", "--call", "1.n"]).exception)


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
    told = Answering({"found": found, "done": done}).stand_in(monkeypatch)

    result = CliRunner().invoke(app, ["cancel", "t/42"])

    assert (result.exit_code, result.stdout.strip()) == (code, said)
    assert told.asked == [("POST", "/v1/turns/t%2F42/cancel")]


async def test_ones_own_turns_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    Answering({"turns": [], "next_cursor": None, "queued": 1200, "running": 1, "waiting": 1}).stand_in(
        monkeypatch
    )

    turns = await status._own_turns()

    assert turns == OwnTurns(queued=1200, running=1, waiting=1)
    assert _own_turns(turns) == "1,200 queued, 1 running, 1 waits for an answer; `pandora approve` lists them"
    assert _own_turns(OwnTurns()) == "0 queued, 0 running, 0 wait for an answer"


async def test_where_they_cannot_be_counted_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    Answering(GatewayError("The gateway refused.", 401)).stand_in(monkeypatch)

    assert _own_turns(await status._own_turns()) == "The gateway refused."
