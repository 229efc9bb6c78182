"""What `pandora status` shows, in words."""

from typing import Any

import pytest
from rich.console import Console

from cli.client.gateway import GatewayError
from cli.upkeep import status
from cli.upkeep.status_report import OwnTurns, Status
from cli.upkeep.status_tables import _own_turns, format_bytes, format_duration, render
from shared.contract.requests import ReindexingReply
from tests.unit.cli.gateway_room import Answering


def test_sizes_and_times_are_short() -> None:
    assert [format_bytes(count) for count in (0, 1536, 600 * 2**20, 3 * 2**30)] == [
        "0 B", "2 KiB", "600 MiB", "3.0 GiB",
    ]  # fmt: skip
    assert [format_duration(seconds) for seconds in (5, 65, 3700, 90_000)] == [
        "5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h",
    ]  # fmt: skip


def test_what_computes_the_vectors_is_shown() -> None:
    embedder = ReindexingReply(
        running=False,
        live="all-minilm-l6-v2-v2-1",
        model="all-MiniLM-L6-v2",
        engine="CTranslate2 4.8.5, int8",
    )
    state = Status(running=True, ready=True, data_dir="d", launcher_pid=1, embedder=embedder)
    terminal = Console(width=100)

    with terminal.capture() as shown:
        terminal.print(render(state))

    assert "all-MiniLM-L6-v2 on CTranslate2 4.8.5, int8" in shown.get()


async def test_ones_own_turns_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, Any] = {"turns": [], "next_cursor": None, "queued": 1200, "running": 1, "waiting": 1}
    Answering(counts).stand_in(monkeypatch, status)

    turns = await status._own_turns()

    assert turns == OwnTurns(queued=1200, running=1, waiting=1)
    assert _own_turns(turns) == "1,200 queued, 1 running, 1 waits for an answer; `pandora approve` lists them"
    assert _own_turns(OwnTurns()) == "0 queued, 0 running, 0 wait for an answer"


async def test_where_they_cannot_be_counted_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    Answering(GatewayError("The gateway refused.", 401)).stand_in(monkeypatch, status)

    assert _own_turns(await status._own_turns()) == "The gateway refused."


async def test_a_wrong_address_of_the_gateway_is_said_and_the_rest_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PANDORA_URL", "ftp://elsewhere")

    assert "PANDORA_URL='ftp://elsewhere'" in _own_turns(await status._own_turns())
