"""The supervisor on a disk that fills up, with small real programs in the place of the parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.parts import Part
from shared.process.room import Disk
from tests.servers.small_disk import SmallDisk, small_disk
from tests.unit.cli.run.test_supervisor import FOREVER, Life, part, until

RESERVE = 2 * 1024 * 1024


@asynccontextmanager
async def living(disk: SmallDisk, one: Part) -> AsyncIterator[Life]:
    """Its limit of deaths is 5 within a minute."""
    life = Life(disk.folder / "data", one, disk=Disk(disk.folder, RESERVE))
    running = asyncio.create_task(life.run())
    await until(lambda: life.ready.is_set() or running.done())
    try:
        yield life
        assert not running.done()
    finally:
        life.stop.set()
        await running


async def test_a_part_that_dies_of_a_full_disk_is_started_again_when_there_is_room() -> None:
    with small_disk(8) as disk:
        lives = disk.folder / "lives"
        # It dies when the disk is full, and then more often than the limit allows.
        dies_of_it = (
            "import pathlib, shutil, time\n"
            f"lives = pathlib.Path({str(lives)!r})\n"
            "count = lives.stat().st_size if lives.exists() else 0\n"
            "lives.open('a').write('x')\n"
            "if 1 <= count <= 6: raise SystemExit(1)\n"
            f"while count == 0 and shutil.disk_usage(lives.parent).free > {RESERVE // 2}: time.sleep(0.02)\n"
            "time.sleep(0 if count == 0 else 60)\n"
        )
        async with living(disk, part("indexer", dies_of_it)) as life:
            await until(lambda: lives.exists())
            first = life.pids()["indexer"]

            disk.fill()
            await until(lambda: any("indexer ended" in line for line in life.said))
            await until(lambda: any("is full" in line for line in life.said))
            await asyncio.sleep(1.0)
            assert life.pids()["indexer"] == first

            disk.make_room()
            await until(lambda: lives.stat().st_size == 8)
            assert life.pids()["indexer"] != first
            (full,) = (line for line in life.said if "is full" in line)
            assert f"the disk of {disk.folder} is full: 0 MiB are left" in full
            assert "Make room for 2 MiB there, and Pandora goes on by itself" in full
            assert any("there is room on the disk" in line for line in life.said)


async def test_a_state_that_the_disk_does_not_take_is_written_when_there_is_room() -> None:
    with small_disk(8) as disk:
        async with living(disk, part("gateway", FOREVER)) as life:
            disk.fill()
            life.state.ready_after_seconds = 7.0

            life.supervisor.save_state()
            assert (state := life.folder.read_state()) is not None
            assert state.ready_after_seconds is None

            disk.make_room()
            await until(lambda: (state := life.folder.read_state()) and state.ready_after_seconds == 7.0)


async def test_a_part_that_has_given_up_is_started_again() -> None:
    with small_disk(8) as disk:
        has_given_up = asyncio.Event()

        async def gave_up() -> bool:
            return has_given_up.is_set()

        one = part("nats", FOREVER)
        given_up = Part(name="nats", command=one.command, probe=one.probe, has_given_up=gave_up)
        async with living(disk, given_up) as life:
            first = life.pids()["nats"]
            has_given_up.set()
            await until(lambda: any("nats ended" in line for line in life.said))
            has_given_up.clear()

            await until(lambda: life.pids()["nats"] != first)
