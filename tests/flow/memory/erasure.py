"""What is forgotten is in no file of the data folder."""

import asyncio
import time
from typing import Any

from tests import files
from tests.stack import Stack


def files_with(stack: Stack, word: str) -> list[str]:
    """Names of files that hold the word, in any case, as UTF-8."""
    return [str(path.relative_to(stack.data_dir)) for path in files.files_with(stack.data_dir, word.encode())]


async def receipt_of(stack: Stack, receipt: dict[str, Any], user: str = "alice") -> dict[str, Any]:
    """Waits until it is erased."""
    deadline = time.monotonic() + 60
    while receipt["state"] != "erased" and time.monotonic() < deadline:
        await asyncio.sleep(0.25)
        _, receipt = await stack.call("GET", f"/v1/users/me/forgets/{receipt['forget_id']}", user=user)
    assert receipt["state"] == "erased", receipt
    return receipt


async def gone_from_files(stack: Stack, word: str, *, within_seconds: float = 30) -> None:
    """NATS compacts its files every ten seconds."""
    deadline = time.monotonic() + within_seconds
    while (found := files_with(stack, word)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(1)
    assert not found, (word, found)
