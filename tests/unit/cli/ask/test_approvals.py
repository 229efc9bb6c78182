"""Tool calls that wait for a person, as the `pandora` command answers them."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from cli.ask import approvals as approving
from cli.ask.approvals import Approving, Confirm
from cli.ask.turn import Asked, Event, how_to_find
from cli.client.gateway import Gateway, GatewayError, gateway_at
from cli.main import app
from cli.terminal.failure import CommandFailed
from cli.terminal.questions import confirmed
from tests.unit.cli.gateway_room import served

WAITING: Event = {
    "type": "tool.waiting",
    "index": 3,
    "turn_id": "t42",
    "call": "n",
    "tool": "notes.add",
    "key": "1.n",
    "arguments": {"text": "buy \x1b[31mmilk"},
    "seconds": 3600.0,
}
answers: list[tuple[str, str]] = []


async def answer(request: web.Request) -> web.Response:
    """The call 1.n alone waits, and only once."""
    call = (await request.json())["call"]
    answers.append((request.match_info["action"], call))
    if len(answers) > 1 or call not in ("", "1.n"):
        return web.json_response({"detail": f"no tool call {call} waits", "field": "call"}, status=409)
    return web.json_response({"turn_id": request.match_info["turn_id"], "calls": ["1.n"]})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    answers.clear()
    routes = web.Application()
    routes.router.add_post("/v1/turns/{turn_id}/{action}", answer)
    async with served(routes) as url, gateway_at(url, "secret") as connected:
        yield connected


def asked() -> Asked:
    turn = Asked("buy milk", None)
    turn.is_new(WAITING)
    return turn


def saying(said: bool | None) -> Confirm:
    async def confirm(question: str) -> bool | None:
        return said

    return confirm


@pytest.mark.parametrize(("said", "action"), [(True, "approve"), (False, "deny")])
async def test_a_person_answers_that_call(gateway: Gateway, said: bool, action: str) -> None:
    notes: list[str] = []
    turn = asked()

    answered = await Approving(gateway, turn, notes.append, saying(said)).answer(WAITING)

    assert answered is said
    assert answers == [(action, "1.n")]
    assert notes == ['It wants to call notes.add {"text": "buy \\u001b[31mmilk"}']
    assert not turn.waiting


async def test_without_a_person_a_note_says_how_to_answer(gateway: Gateway) -> None:
    notes: list[str] = []

    await Approving(gateway, asked(), notes.append, None).answer(WAITING)

    assert answers == []
    assert "waits for a person, for 3600 s" in notes[0]
    assert "`pandora approve t42 --call 1.n`" in notes[0]


async def test_an_answer_that_comes_too_late_does_not_end_the_command(gateway: Gateway) -> None:
    notes: list[str] = []
    approving = Approving(gateway, asked(), notes.append, saying(True))

    await approving.answer(WAITING)
    assert await approving.answer(WAITING) is None

    assert notes[-1] == "Too late: it was answered elsewhere, or its time is over."


async def test_a_person_who_leaves_leaves_it_waiting(gateway: Gateway) -> None:
    turn = asked()

    with pytest.raises(CommandFailed, match="still waits: `pandora approve t42`"):
        await Approving(gateway, turn, lambda line: None, saying(None)).answer(WAITING)

    assert answers == []
    turn.is_new({"type": "tool.ended", "index": 4, "call": "n"})
    assert how_to_find(gateway.url, turn).startswith("Turn t42 goes on.")


# --- the commands ---


@pytest.mark.parametrize(
    ("words", "said"),
    [(["approve", "t42"], "Allowed: 1.n.\n"), (["deny", "t42", "--call", "1.n"], "Not allowed: 1.n.\n")],
)
def test_a_call_is_answered_by_a_command(
    monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    sent: list[tuple[str, str, bool]] = []

    async def answered(gateway: Gateway, turn_id: str, call: str, *, allow: bool) -> dict[str, Any]:
        sent.append((turn_id, call, allow))
        return {"calls": ["1.n"]}

    monkeypatch.setattr(approving, "answer_call", answered)

    result = CliRunner().invoke(app, words)

    assert (result.exit_code, result.stdout) == (0, said)
    assert sent == [("t42", words[3] if len(words) > 2 else "", words[0] == "approve")]


async def test_a_turn_where_nothing_waits_is_refused(gateway: Gateway) -> None:
    with pytest.raises(GatewayError, match=r"409: no tool call 9.z waits \(call\)\."):
        await approving.answer_call(gateway, "t42", "9.z", allow=True)


# --- the terminal ---


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal that a test types into."""
    typing, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typing
    os.close(typing)


@pytest.mark.parametrize(
    ("lines", "said"),
    [(["y\n"], True), (["YES\n"], True), (["\n"], False), (["n\n"], False), (["what\n", "y\n"], True),
     (["\x04"], None)],
)  # fmt: skip
async def test_a_question_is_asked_until_it_is_answered(
    keyboard: int, capsys: pytest.CaptureFixture[str], lines: list[str], said: bool | None
) -> None:
    question = asyncio.create_task(confirmed("Allow it?"))
    for count, line in enumerate(lines, 1):
        await until_asked(capsys)
        assert not question.done(), count
        os.write(keyboard, line.encode())

    assert await asyncio.wait_for(question, 5) is said


async def test_a_wrong_answer_takes_the_next_line(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    question = asyncio.create_task(confirmed("Allow it?"))
    await until_asked(capsys)
    os.write(keyboard, b"x\ny\n")

    assert await asyncio.wait_for(question, 5) is True


async def test_what_was_typed_before_is_no_answer(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(keyboard, b"y\n")
    question = asyncio.create_task(confirmed("Allow it?"))
    await until_asked(capsys)
    os.write(keyboard, b"n\n")

    assert await asyncio.wait_for(question, 5) is False


async def test_a_person_who_leaves_does_not_have_to_press_enter(
    keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    question = asyncio.create_task(confirmed("Allow it?"))
    await until_asked(capsys)

    question.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(question, 20)


async def until_asked(capsys: pytest.CaptureFixture[str]) -> None:
    async with asyncio.timeout(5):
        while "[y/N]" not in capsys.readouterr().err:  # noqa: ASYNC110  # a terminal has no event for it
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
