"""The programs of docs/clients.md, run as they stand against a gateway of a test."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from typing import Final

from tests.contracts.gateway.gateway_room import KEYS, Client
from tests.stack import ROOT

_PROGRAM: Final = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def output_of(name: str, client: Client) -> str:
    """What the program prints. Only the address and the key are another."""
    program = dict(_PROGRAM.findall((ROOT / "docs/clients.md").read_text(encoding="utf-8")))[name]
    told = program.replace("http://127.0.0.1:9000", client.url).replace("any text", KEYS["alice"])
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", told, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(60):
        said, failure = await process.communicate()
    assert (process.returncode, failure.decode()) == (0, "")
    return said.decode()
