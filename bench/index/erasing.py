"""python -m bench.index.erasing [MESSAGES] [TURNS]: how long it takes to forget all of a user.

In a stack of its own, where two users have as much, and one is forgotten. Times are from the DELETE on: until
its answer, until the receipt says `erased`, and until no file of the data folder holds the user's word.
"""

import asyncio
import json
import sys
import time
from typing import Any

from tests.files import files_with
from tests.stack import Stack

_WORDS = [
    "garden",
    "river",
    "market",
    "winter",
    "candle",
    "bridge",
    "orchard",
    "lantern",
    "meadow",
    "harbour",
]


async def fill(stack: Stack, user: str, word: str, messages: int, turns: int) -> None:
    for begin in range(0, messages, 1_000):
        lines = [
            {
                "session_id": f"s{number // 50}",
                "message_id": str(number),
                "speaker": user,
                "text": f"{word} {number} {' '.join(_WORDS[number % 10 :])} {' '.join(_WORDS)}",
                "at": "2023-05-08T12:00:00Z",
            }
            for number in range(begin, min(begin + 1_000, messages))
        ]
        body = "\n".join(map(json.dumps, lines)).encode()
        status, answer = await stack.call("POST", "/v1/imports", body, user=user)
        assert status == 200, answer
    for number in range(turns):
        await stack.tell(f"{word} is what I said in turn {number}.", session_id=f"t{number % 5}", user=user)


def holds(stack: Stack, word: str) -> bool:
    return any(files_with(stack.data_dir, word.encode()))


async def measure(messages: int, turns: int) -> None:
    stack = Stack({})
    await asyncio.to_thread(stack.start)
    try:
        await fill(stack, "bob", "Quillfeather", messages, turns)
        await fill(stack, "alice", "walnuttree", messages, turns)
        begun = time.monotonic()
        receipt: dict[str, Any]
        _, receipt = await stack.call("DELETE", "/v1/users/me/data?now=true", user="bob")
        path = f"/v1/users/me/forgets/{receipt['forget_id']}"
        print(f"answered after {time.monotonic() - begun:.1f} s: {receipt['state']}")
        for state in ("forgotten", "erased"):
            while receipt["state"] not in (state, "erased"):
                await asyncio.sleep(0.1)
                _, receipt = await stack.call("GET", path, user="bob")
            print(f"{state} after {time.monotonic() - begun:.1f} s")
        while holds(stack, "Quillfeather"):  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(0.5)
        print(f"in no file after {time.monotonic() - begun:.1f} s")
        print({store["store"]: store["removed"] for store in receipt["stores"]})
    finally:
        await asyncio.to_thread(stack.stop)
        stack.remove()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(measure(*(given + [5_000, 50][len(given) :])))
