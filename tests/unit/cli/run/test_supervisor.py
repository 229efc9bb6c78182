"""The supervisor with small real programs in the place of the parts."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.run import supervisor
from cli.run.processes import ProcessId
from cli.run.restarts import Deaths
from cli.run.run_folder import RunFolder, StackState
from cli.run.supervisor import LaunchError, Supervisor, stop_deadlines
from deploy.local.parts import Listener, NotReady, Part
from shared.process.environment import SettingsError
from shared.process.room import Disk

FOREVER = "import time; time.sleep(60)"
Probe = Callable[[], Awaitable[None]]


async def ready_at_once() -> None:
    return


async def never_ready() -> None:
    raise NotReady("the moon: not up")


async def waits_for_others() -> None:
    raise NotReady("the moon: not up", has_started=True)


def part(
    name: str, program: str, *, probe: Probe = ready_at_once, settings_status: int | None = None
) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-c", program),
        listeners=(Listener("127.0.0.1", 1, "SOME_PORT"),),
        probe=probe,
        settings_status=settings_status,
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


class Life:
    """One run of a supervisor, with what it said."""

    def __init__(
        self,
        data: Path,
        *parts: Part,
        startup_seconds: float = 20.0,
        stop_seconds: float = 2.0,
        disk: Disk | None = None,
    ) -> None:
        self.folder = RunFolder(data)
        self.state = StackState(launcher=ProcessId.of(os.getpid()), started_at=datetime.now(UTC))
        self.said: list[str] = []
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()
        self.unready: dict[str, str] = {}
        self.supervisor = Supervisor(
            {part.name: part for part in parts},
            self.folder,
            self.state,
            self.said.append,
            disk or Disk(data, 0),
            startup_seconds=startup_seconds,
            stop_seconds=stop_seconds,
            restart_limit=5,
        )

    async def run(self) -> None:
        async def on_ready(unready: dict[str, str]) -> None:
            self.unready = unready
            self.ready.set()

        with self.folder.locked():
            await self.supervisor.run(self.stop, on_ready)

    def pids(self) -> dict[str, int]:
        state = self.folder.read_state()
        assert state is not None
        return {name: part.process.pid for name, part in state.parts.items()}

    def lives(self) -> list[str]:
        return [name for name, part in self.state.parts.items() if part.process.find()]

    def last_line(self, name: str) -> str:
        return "".join(self.folder.last_lines(name, 1))


async def test_a_dead_part_is_started_again(tmp_path: Path) -> None:
    life = Life(tmp_path, part("gateway", FOREVER))
    running = asyncio.create_task(life.run())
    await life.ready.wait()
    first = life.pids()["gateway"]

    os.kill(first, 9)
    await until(lambda: "gateway is ready again" in life.said[-1])

    assert "gateway ended with signal SIGKILL; starting it again in 0.5 s" in life.said
    assert life.pids()["gateway"] != first
    life.stop.set()
    await running
    assert life.lives() == []


async def test_a_part_that_keeps_dying_ends_everything_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deaths, "delay", lambda self: 0.01)
    life = Life(tmp_path, part("nats", FOREVER), part("gateway", "raise SystemExit('no more wine')"))

    with pytest.raises(LaunchError, match="gateway died 5 times within 60 s") as failure:
        await life.run()

    assert failure.value.exit_status == 1
    assert failure.value.tail == ["no more wine"] * 5
    assert life.lives() == []


async def test_a_wrong_setting_is_not_tried_again(tmp_path: Path) -> None:
    program = "import sys; sys.stderr.write('GATEWAY_PORT=x: not a number\\n'); sys.exit(2)"
    life = Life(tmp_path, part("gateway", program, probe=never_ready, settings_status=2))

    with pytest.raises(LaunchError, match=r"^GATEWAY_PORT=x: not a number$") as failure:
        await life.run()

    assert failure.value.exit_status == 2
    assert life.said == []


async def test_a_probe_that_finds_a_wrong_setting_ends_everything(tmp_path: Path) -> None:
    async def wrong_password() -> None:
        raise SettingsError("POSTGRES_PASSWORD=***: not the one")

    life = Life(tmp_path, part("postgres", FOREVER, probe=wrong_password))

    with pytest.raises(SettingsError, match="not the one"):
        await life.run()

    assert life.lives() == []


async def test_what_is_not_ready_in_time_is_named_with_its_reason(tmp_path: Path) -> None:
    slow = part("postgres", "print('thinking', flush=True); " + FOREVER, probe=never_ready)
    life = Life(tmp_path, slow, part("gateway", FOREVER), startup_seconds=0.8)

    with pytest.raises(
        LaunchError, match=r"postgres is not ready after 0\.8 s \(the moon: not up\)"
    ) as failure:
        await life.run()

    assert failure.value.tail == ["thinking"]
    assert life.lives() == []


@pytest.mark.parametrize(
    ("probe", "startup_seconds", "patience_seconds"),
    [(waits_for_others, 60.0, 0.2), (never_ready, 0.8, 60.0)],
)
async def test_a_service_that_is_not_ready_does_not_stop_the_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    probe: Probe,
    startup_seconds: float,
    patience_seconds: float,
) -> None:
    monkeypatch.setattr(supervisor, "_PATIENCE_SECONDS", patience_seconds)
    is_up = asyncio.Event()

    async def until_the_moon_is_up() -> None:
        if not is_up.is_set():
            await probe()

    inference = part("inference", FOREVER, probe=until_the_moon_is_up)
    life = Life(tmp_path, inference, part("gateway", FOREVER), startup_seconds=startup_seconds)
    running = asyncio.create_task(life.run())
    await life.ready.wait()

    assert life.unready == {"inference": "the moon: not up"}
    assert sorted(life.lives()) == ["gateway", "inference"]

    is_up.set()
    await until(lambda: "inference is ready" in life.said[-1])
    life.stop.set()
    await running


async def test_a_server_of_ones_own_is_waited_for_before_anything_is_started(tmp_path: Path) -> None:
    server = Part(name="nats", probe=never_ready)
    life = Life(tmp_path, server, part("gateway", FOREVER), startup_seconds=0.3)

    with pytest.raises(LaunchError, match=r"nats is not ready after 0\.3 s \(the moon: not up\)\. Every"):
        await life.run()

    assert life.state.parts == {}


async def test_a_part_that_will_not_stop_is_killed_with_its_children(tmp_path: Path) -> None:
    stubborn = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}]);"
        "print(child.pid, flush=True); child.wait()"
    )
    life = Life(tmp_path, part("gateway", stubborn), stop_seconds=0.5)
    running = asyncio.create_task(life.run())
    await life.ready.wait()
    await until(lambda: life.last_line("gateway"))
    child = ProcessId.of(int(life.last_line("gateway")))

    life.stop.set()
    await running

    assert life.said[-1] == "gateway did not stop in time and was killed"
    assert life.lives() == []
    await until(lambda: not child.find())


async def test_parts_stop_in_the_reverse_order(tmp_path: Path) -> None:
    slow_end = (
        "import signal, sys, time;"
        "end = lambda *_: (time.sleep(0.1), print(time.time(), flush=True), sys.exit());"
        "signal.signal(signal.SIGTERM, end);"
        "print('up', flush=True); " + FOREVER
    )
    names = ["nats", "postgres", "indexer", "orchestrator", "gateway"]
    life = Life(tmp_path, *(part(name, slow_end) for name in names), stop_seconds=5)
    running = asyncio.create_task(life.run())
    await life.ready.wait()
    await until(lambda: all(life.last_line(name) for name in names))

    life.stop.set()
    await running

    ended = {name: float(life.last_line(name)) for name in names}
    assert sorted(names, key=lambda name: ended[name]) == names[::-1]


def test_the_wait_doubles_to_ten_seconds_and_starts_anew_after_a_good_minute() -> None:
    deaths, now, delays = Deaths(limit=5), 0.0, []
    for _ in range(7):
        now += 20.0
        deaths.note(now, lived=20.0)
        delays.append(deaths.delay())
    assert delays == [0.5, 1, 2, 4, 8, 10, 10]
    assert not deaths.too_many(now)

    deaths.note(now + 100, lived=100.0)

    assert deaths.delay() == 0.5


def test_the_whole_stop_fits_into_twenty_seconds() -> None:
    assert stop_deadlines(10.0)[-1] < 20
    assert stop_deadlines(10.0) == sorted(stop_deadlines(10.0))
