"""The lock, the state and the logs of a launcher, and the processes that it names."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.run.launcher import end_leftovers
from cli.run.ports import check_ports
from cli.run.processes import ProcessId, end
from cli.run.run_folder import AlreadyRunning, PartState, RunFolder, StackState
from deploy.local.parts import Listener, Part
from shared.process.environment import SettingsError


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def state_with(process: ProcessId) -> StackState:
    now = datetime.now(UTC)
    part = PartState(process=process, started_at=now, stop_signal=signal.SIGTERM)
    return StackState(launcher=ProcessId.of(os.getpid()), started_at=now, parts={"gateway": part})


def test_a_second_launcher_is_told_of_the_first(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked():
        assert RunFolder(tmp_path).holder() == os.getpid()
        with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}.*pandora down"):
            RunFolder(tmp_path)._take_lock()

    assert RunFolder(tmp_path).holder() is None
    assert list((tmp_path / "run").iterdir()) == []


def test_a_killed_launcher_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from cli.run.run_folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked(): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout
        assert launcher.stdout.readline() == b"locked\n"
        assert RunFolder(tmp_path).holder() == launcher.pid
        launcher.kill()

    with RunFolder(tmp_path).locked():
        pass


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    state = state_with(ProcessId(1, 2.0))
    with folder.locked():
        folder.write_state(state)

    assert folder.read_state() == state


def test_what_a_killed_launcher_left_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    folder, told = RunFolder(tmp_path), list[str]()
    with folder.locked():
        folder.write_state(state_with(ProcessId.of(sleeper.pid)))

        end_leftovers(folder, told.append)

    assert sleeper.wait(5) == -signal.SIGTERM
    assert told == ["gateway was left running by a launcher that was killed; ended it"]
    assert folder.read_state() is None


def test_a_process_that_only_inherited_the_number_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    born = ProcessId.of(sleeper.pid).created

    assert not end(ProcessId(sleeper.pid, born - 60), signal.SIGKILL, 1.0)

    assert sleeper.poll() is None


def test_the_last_lines_of_a_log_are_found_in_a_large_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.logs.mkdir()
    folder.log_file("gateway").write_text("".join(f"line {number}\n\n" for number in range(100_000)))

    assert folder.last_lines("gateway", 2) == ["line 99998", "line 99999"]
    assert folder.last_lines("absent", 2) == []


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.logs.mkdir()
    folder.log_file("gateway").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    folder.log_file("nats").write_bytes(b"x")

    folder.rotate_logs()

    assert sorted(file.name for file in folder.logs.iterdir()) == ["gateway.log.1", "nats.log"]


async def _ready() -> None:
    return


def part(*listeners: Listener) -> Part:
    return Part(name="gateway", command=(), listeners=listeners, probe=_ready)


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(SettingsError, match=rf"GATEWAY_PORT={port}: .*set GATEWAY_PORT to a free one"):
            check_ports([part(Listener("127.0.0.1", port, "GATEWAY_PORT"))])

    check_ports([part(Listener("127.0.0.1", port, "GATEWAY_PORT"))])


def test_two_settings_with_one_port_are_named() -> None:
    listeners = (Listener("127.0.0.1", 1234, "NATS_PORT"), Listener("127.0.0.1", 1234, "GATEWAY_PORT"))

    with pytest.raises(SettingsError, match="GATEWAY_PORT=1234: NATS_PORT is the same port"):
        check_ports([part(*listeners)])
