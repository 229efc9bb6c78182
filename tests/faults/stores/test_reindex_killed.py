"""The whole stack: vectors are made anew, the indexer is killed meanwhile, and a check follows."""

import asyncio
import json
import os
import signal
import subprocess
import sys

from tests.stack import Stack

MESSAGES = 1_100
"""More than two of the pages that a build goes by."""
_PAGE = 250
_SECONDS = 200


def pandora(stack: Stack, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=stack.data_dir,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


async def fill(stack: Stack) -> None:
    for begin in range(0, MESSAGES, _PAGE):
        lines = [
            json.dumps(
                {
                    "session_id": f"s{n // 50}",
                    "message_id": str(n),
                    "speaker": "user",
                    "text": f"Parcel {n} was brought to house {n * 7} by the postman of that week.",
                    "at": "2026-03-01T10:00:00Z",
                }
            )
            for n in range(begin, begin + _PAGE)
        ]
        status, answer = await stack.call("POST", "/v1/imports", "\n".join(lines).encode())
        assert status == 200, answer


async def found(stack: Stack, number: int) -> bool:
    status, answer = await stack.call("POST", "/v1/search", {"query": f"Parcel {number}", "limit": 3})
    return status == 200 and any(f"Parcel {number} " in hit["text"] for hit in answer["hits"])


async def test_a_reindex_outlives_the_death_of_the_indexer(small: Stack) -> None:
    await fill(small)
    assert await found(small, 77)
    before = json.loads((await asyncio.to_thread(pandora, small, "reindex", "--watch", "--json"))[1])
    assert not before["running"]

    status, begun = await asyncio.to_thread(pandora, small, "reindex", "--json")
    assert status == 0, begun
    building = json.loads(begun)["building"]
    async with asyncio.timeout(_SECONDS):
        while (await state(small))["done"] == 0:
            assert await found(small, 77), "the old vectors answer"
            await asyncio.sleep(0.1)
    os.kill(small.pid_of("indexer"), signal.SIGKILL)
    async with asyncio.timeout(_SECONDS):
        while not await found(small, 78):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    status, watched = await asyncio.to_thread(pandora, small, "reindex", "--watch")

    assert status == 0, watched
    assert (await state(small))["live"] == building
    assert await found(small, 79)
    status, checked = await asyncio.to_thread(pandora, small, "check", "--json")
    assert status == 0, checked
    assert json.loads(checked)["right"]
    async with asyncio.timeout(_SECONDS):
        while len(list((small.data_dir / "qdrant").iterdir())) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    await small.rows("DELETE FROM pandora.messages WHERE message_id = '80'")
    status, checked = await asyncio.to_thread(pandora, small, "check")
    assert (status, "1 points without rows" in checked) == (1, True), checked
    status, mended = await asyncio.to_thread(pandora, small, "check", "--mend")
    assert (status, "all is right now" in mended) == (0, True), mended


async def state(stack: Stack) -> dict[str, object]:
    """As the command asks for it, without a second for its start each time."""
    client = await stack.bus()
    try:
        return dict(json.loads((await client.request("index.reindexing", b"{}", 5)).data))
    finally:
        await client.close()
