"""Another program, run to its end."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import psutil
import pytest

from shared.process.programs import run_program

ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(3)"
SLEEP = (
    "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
)


async def test_a_program_gets_its_input_and_its_output_and_status_come_back() -> None:
    assert await run_program(sys.executable, "-c", ECHO, body=b"hello", stdin=PIPE, stdout=PIPE) == (
        3,
        b"hello",
    )


async def test_without_pipes_there_is_only_a_status() -> None:
    assert await run_program(sys.executable, "-c", "raise SystemExit(4)") == (4, b"")


async def test_a_program_whose_caller_is_cancelled_is_ended(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    running = asyncio.create_task(run_program(sys.executable, "-c", SLEEP, str(noted)))
    async with asyncio.timeout(30.0):
        while not noted.exists() or not noted.read_text():  # noqa: ASYNC110  # a file has no event
            await asyncio.sleep(0.01)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not psutil.pid_exists(int(noted.read_text()))
