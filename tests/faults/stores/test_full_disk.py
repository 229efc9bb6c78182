"""A real stack on a disk that fills up: nothing that was acknowledged is lost, and all is well by itself."""

import asyncio
import shutil
from collections.abc import Iterator

import aiohttp
import pytest

from tests.live.test_launcher import run_pandora
from tests.servers.small_disk import SmallDisk, small_disk
from tests.stack import Stack

_WELL_SECONDS = 60.0


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(1400) as mounted:
        yield mounted


@pytest.fixture
def own(disk: SmallDisk) -> Iterator[Stack]:
    stack = Stack({})
    stack.remove()
    stack.data_dir = disk.folder / "data"
    stack.data_dir.mkdir(mode=0o755)
    stack.environment["PANDORA_DATA_DIR"] = str(stack.data_dir)
    stack.start()
    yield stack
    stack.stop()


async def until_well(stack: Stack) -> None:
    async with asyncio.timeout(_WELL_SECONDS):
        while True:
            try:
                if (await stack.call("GET", "/readyz"))[0] == 200:
                    return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.5)


async def test_a_disk_fills_up_and_gets_room_again(own: Stack, disk: SmallDisk) -> None:
    await own.tell("I live in Porto.")
    is_named = f"the disk of {own.data_dir} is full: 0 MiB are left"

    # A turn is acknowledged, and then nothing can be written any more.
    status, accepted = await own.call("POST", "/v1/turns", {"input": "My cat is called Miso."})
    assert status == 202
    disk.fill()
    status, problem = await own.call("POST", "/v1/memories", {"text": "I have a dog."})
    assert (status, problem["title"]) == (503, "Not available now")
    assert is_named in problem["detail"]
    assert "Make room for 24 MiB there, and Pandora goes on by itself" in problem["detail"]
    status, ready = await own.call("GET", "/readyz")
    assert status == 503
    assert is_named in ready["dependencies"]["disk"]
    shown = await asyncio.to_thread(run_pandora, own, "status")
    assert shown.returncode == 1
    assert "is full" in shown.stdout
    await asyncio.sleep(10)  # Here parts die, each as it writes.
    assert "Everything is stopped" not in own.terminal()

    # There is room: all is well without a hand, and what was accepted is answered.
    disk.make_room()
    await until_well(own)
    status, _ = await own.call("POST", "/v1/memories", {"text": "I have a dog."})
    assert status == 201
    await own.until_indexed(accepted["id"])
    found = await own.ask("What is my cat called?")
    assert found["type"] == "turn.saved"

    # A start with little room.
    assert await asyncio.to_thread(own.stop) == 0
    disk.fill(leave=386 * 1024 * 1024)
    await asyncio.to_thread(own.start)
    await own.ask("Where do I live?")
    assert await asyncio.to_thread(own.stop) == 0

    # A start with none: what is missing, and where.
    disk.fill(leave=10 * 1024 * 1024)
    refused = await asyncio.to_thread(run_pandora, own, "up")
    assert refused.returncode == 2
    assert "10 MiB left, and a start needs 24 MiB" in refused.stderr
    assert f"Make room for 14 MiB on the disk of {own.data_dir}" in refused.stderr
    assert shutil.disk_usage(disk.folder).free > 0
