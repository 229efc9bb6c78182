"""The `pandora` command, run on an installation by one of its users."""

import asyncio
import subprocess
import sys

from tests.stack import KEYS, Stack

_SECONDS = 60.0


async def pandora(stack: Stack, *arguments: str, user: str = "alice") -> tuple[int, str]:
    """Its exit status, and what it prints on stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *arguments),
        env=stack.environment | {"PANDORA_API_KEY": KEYS[user], "COLUMNS": "200"},
        cwd=stack.data_dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(_SECONDS):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()
