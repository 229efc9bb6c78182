"""What a command costs before it does anything."""

import json
import subprocess
import sys

HEAVY = {"aiohttp", "httpx2", "litestar", "mcp", "nats", "prompt_toolkit", "pydantic", "torch"}
"""Each takes a tenth of a second or more to import. A command imports it where it needs it."""


def test_help_imports_nothing_that_only_some_commands_need() -> None:
    program = (
        "import json, sys, cli.main; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert HEAVY & set(json.loads(done.stdout)) == set()
