"""`pandora import` against a small real server."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tenacity import stop_after_attempt, wait_none
from typer.testing import CliRunner

from cli.client.gateway import gateway_at
from cli.imports import conversations as importing
from cli.imports.sending import Answer, BadLine, Importer, chunks_of, is_away, send_all
from cli.main import app
from cli.terminal.failure import CommandFailed
from shared.process.retrying import Retry
from tests.servers.ports import free_ports
from tests.unit.cli.gateway_room import served

AT_ONCE = Retry(on=is_away, wait=wait_none(), stop=stop_after_attempt(3))


class Server:
    """Takes lines, and does not know some of them."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.refusals: list[web.Response] = []

    async def take(self, request: web.Request) -> web.Response:
        if self.refusals:
            return self.refusals.pop()
        assert request.headers["Authorization"] == "Bearer secret"
        assert request.query.get("user") == "bob"
        body = await request.read()
        self.bodies.append(body)
        lines = body.split(b"\n")
        bad = [{"line": number, "reason": "no"} for number, line in enumerate(lines, 1) if line == b"bad"]
        known = {"changed": 0, "known": 0}
        return web.json_response(
            {"lines": len(lines), "new": len(lines) - len(bad), "bad": bad, "bad_lines": len(bad), **known}
        )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    taking = Server()
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/v1/imports", taking.take)
    async with served(app) as taking.url:
        yield taking


async def send(url: str, lines: list[bytes]) -> tuple[Answer, list[int]]:
    total, steps = Answer(), list[int]()
    async with gateway_at(url, "secret") as gateway:
        await send_all(lines, Importer(gateway, "bob", AT_ONCE), total, steps.append)
    return total, steps


async def test_lines_are_sent_a_few_hundred_at_a_time_and_bad_ones_keep_their_numbers(server: Server) -> None:
    lines = [b"line %d\n" % number for number in range(1200)]
    lines[1100] = b"bad\r\n"

    total, steps = await send(server.url, lines)

    assert steps == [512, 1024, 1200]
    assert (total.lines, total.new, total.bad_lines) == (1200, 1199, 1)
    assert [bad.line for bad in total.bad] == [1101]
    assert b"\n".join(server.bodies) + b"\n" == b"".join(lines).replace(b"\r", b"")


def test_of_a_line_that_is_too_long_so_much_is_sent_that_it_is_seen() -> None:
    chunks = list(chunks_of([b"x" * 10_000_000, b"y" * 1_000_000, b"z" * 1_000_000]))

    assert [[len(line) for line in chunk] for chunk in chunks] == [[1024 * 1024 + 1, 1_000_000], [1_000_000]]


async def test_what_is_away_for_a_moment_is_asked_again(server: Server) -> None:
    server.refusals = [web.json_response({"detail": "not now"}, status=503) for _ in range(2)]

    total, _ = await send(server.url, [b"one"])

    assert total.new == 1


async def test_what_stays_away_is_said(server: Server) -> None:
    (port,) = free_ports(1)
    server.refusals = [web.json_response({"detail": "0 lines are stored."}, status=503) for _ in range(9)]

    with pytest.raises(CommandFailed, match=r"status 503: 0 lines are stored\. See `pandora status`"):
        await send(server.url, [b"one"])
    with pytest.raises(CommandFailed, match=r"No gateway answers at .* `pandora up`"):
        await send(f"http://127.0.0.1:{port}", [b"one"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 401, "text": '{"detail": "no such key"}'}, r"401: no such key\. Set PANDORA_API_KEY"),
        (
            {"status": 403, "text": '{"detail": "no admin"}'},
            r"403: no admin\. Set PANDORA_API_KEY to an admin's key\.$",
        ),
        ({"status": 502, "text": "<html>"}, r"502: no reason given\.$"),
        ({"status": 200, "text": "<html>"}, r"is not a gateway\. Check PANDORA_URL"),
    ],
)
async def test_what_is_refused_is_not_asked_again(server: Server, answer: dict[str, Any], words: str) -> None:
    server.refusals = [web.Response(**answer)]

    with pytest.raises(CommandFailed, match=words):
        await send(server.url, [b"one"])


# --- the command ---


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """What comes of every import."""
    made = Answer()

    async def sent(found: Any, user: str | None, total: Answer, *, show: bool) -> None:
        total.add(made, 0)
        if made.lines == 7:
            raise KeyboardInterrupt
        if made.lines == 8:
            raise CommandFailed("No gateway.")

    monkeypatch.setattr(importing, "_send", sent)
    return made


LINES = '{"text": "x"}\n' * 3


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["import", "conversations", "-", *words], input=LINES)


def test_counts_are_shown(answer: Answer) -> None:
    answer.lines, answer.new, answer.known = 3000, 2900, 100

    result = run()

    assert result.exit_code == 0
    assert result.stdout == "Imported 3,000 messages (2,900 new, 0 changed, 100 known).\n"


def test_bad_lines_are_shown_and_end_with_1(answer: Answer) -> None:
    answer.lines, answer.bad_lines = 2, 60
    answer.add(Answer(bad=[BadLine(number, "no \x1b[31m") for number in range(1, 61)]), 10)

    plain, as_json = run(), run("--json")

    assert (plain.exit_code, as_json.exit_code) == (1, 1)
    assert "line 11: no \N{REPLACEMENT CHARACTER}[31m\n" in plain.stderr
    assert plain.stderr.endswith("... and 10 more; --json names them.\n")
    assert len(json.loads(as_json.stdout)["bad"]) == 60
    assert as_json.stderr == ""


def test_who_leaves_is_told_how_to_go_on(answer: Answer) -> None:
    answer.lines = answer.new = 7

    result = run()

    assert isinstance(result.exception, CommandFailed)
    assert result.exception.exit_status == 130
    assert "Left after 7 messages (7 new" in str(result.exception)
    assert "The same command goes on from there" in str(result.exception)


def test_what_stops_half_way_says_how_far_it_came(answer: Answer) -> None:
    answer.lines = answer.new = 8

    result = run()

    assert isinstance(result.exception, CommandFailed)
    assert "No gateway.\nStopped after 8 messages" in str(result.exception)


@pytest.mark.parametrize("name", ["not-there.json", "."])
def test_a_file_that_cannot_be_read_is_said(name: str) -> None:
    result = CliRunner().invoke(app, ["import", "conversations", name])

    assert isinstance(result.exception, CommandFailed)
    assert "cannot be read" in str(result.exception)
