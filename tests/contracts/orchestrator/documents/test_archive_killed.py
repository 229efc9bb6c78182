"""Processes that archive the same turns and are killed: no turn is lost, none is there twice."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.folder_archive import FolderArchive
from tests.stack import ROOT

TURNS = 120
PACKER = """
import asyncio, sys, time
from pathlib import Path
from services.orchestrator.documents.folder_archive import FolderArchive

async def main():
    archive = FolderArchive(Path(sys.argv[1]))
    print("ready", flush=True)
    while names := await archive.unused_since(time.time() + 60):
        for name in names:
            await archive.pack(name)

asyncio.run(main())
"""


def packer(folder: Path) -> subprocess.Popen[bytes]:
    started = subprocess.Popen([sys.executable, "-c", PACKER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


async def check(documents: FolderDocuments, texts: dict[str, dict[str, str]]) -> None:
    for turn_id, expected in texts.items():
        names = await documents.names(turn_id)
        assert {name: await documents.read(turn_id, name) for name in names} == expected, turn_id


async def test_killed_in_the_middle_every_turn_is_there_once(tmp_path: Path) -> None:
    folder = tmp_path / "turns"
    documents = FolderDocuments(folder)
    texts = {}
    for number in range(1, TURNS + 1):
        about = {"turn_id": f"t{number}", "turn_number": number, "user": "alice", "session_id": "s"}
        texts[f"t{number}"] = {"metadata.json": json.dumps(about), "context.md": f"{number}\n" * 5000}
        await documents.write(number, f"t{number}", texts[f"t{number}"])
    chance = random.Random(7)  # noqa: S311

    for _ in range(4):
        packers = await asyncio.gather(*(asyncio.to_thread(packer, folder) for _ in range(2)))
        await asyncio.sleep(chance.uniform(0.02, 0.15))
        for one in packers:
            one.kill()
            await asyncio.to_thread(one.communicate)
        await check(documents, texts)
    packed_meanwhile = len(list_zips(folder))
    last = await asyncio.to_thread(packer, folder)
    async with asyncio.timeout(60):
        while last.poll() is None:
            await check(documents, texts)
    last.communicate()

    assert packed_meanwhile > 0
    assert last.returncode == 0
    assert await FolderArchive(folder).unused_since(time.time() + 60) == []
    assert len(list_zips(folder)) == TURNS
    assert await documents.turns_of("alice") == [(number, f"t{number}") for number in range(1, TURNS + 1)]
    await check(FolderDocuments(folder), texts)
    for turn_id in texts:
        assert await documents.remove(turn_id)
    left = sorted(os.listdir(folder))  # noqa: PTH208  # a Path may not be read in a coroutine (ASYNC240)
    assert left == [".lock", "000", "archive", "by_source", "by_user", "ids"]
    assert list_zips(folder) == []


def list_zips(folder: Path) -> list[Path]:
    return list(folder.glob("archive/*/*.zip"))
