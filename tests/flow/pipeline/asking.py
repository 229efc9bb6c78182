"""Turns that are asked for and looked at until they are in a state."""

import asyncio
from typing import Any

from tests.stack import Stack


async def start(stack: Stack, text: str, **more: str) -> str:
    status, turn = await stack.call("POST", "/v1/turns", {"input": text, **more})
    assert status == 202, turn
    return str(turn["id"])


async def until(stack: Stack, turn_id: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            _, turn = await stack.call("GET", f"/v1/turns/{turn_id}")
            if turn.get("status") in states:
                found: dict[str, Any] = turn
                return found
            await asyncio.sleep(0.05)
