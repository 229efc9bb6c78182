"""An installation with the scripted engine, a tool that asks for approval, and eyes."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stack import ROOT, Stack

NOTING = """
phases = ["gather", "plan", "coordinate", "synthesis", "save"]
tools = ["notes.*"]
"""
CALLING = """
phases = ["analysis", "plan", "coordinate", "synthesis", "save"]
client_tools = true
"""
SCRIPT = """
[[rule]]
schema = "Plan"
question = "^(buy|water|What is my locker code|Thanks)"
[[rule.json]]
goals = ["write it down"]
calls = [{ id = "n", tool = "notes.add", arguments = { text = "{question}" }, after = [] }]
is_done = true

[[rule]]
role = "VOICE"
question = "^(buy|water|What is my locker code|Thanks)"
answer = "Done."

[[rule]]
schema = "Plan"
question = '^Will it rain in (?P<place>\\w+) and (?P<other>\\w+)'
[[rule.json]]
calls = [
    { id = "a", tool = "get_weather", arguments = { place = "{place}" }, after = [] },
    { id = "b", tool = "get_weather", arguments = { place = "{other}" }, after = [] },
]
is_done = true

[[rule]]
schema = "Plan"
question = '^Will it rain in (?P<place>\\w+)'
[[rule.json]]
calls = [{ id = "a", tool = "get_weather", arguments = { place = "{place}" }, after = [] }]
is_done = true

[[rule]]
role = "VOICE"
question = "^Will it rain"
text = '(?s)(?P<said>Rain in [^\\n<]*)(.*(?P<more>Rain in [^\\n<]*))?'
answer = "{said} {more}"

[[rule]]
role = "EYES"
answer = "A red lighthouse on a cliff."

[[rule]]
role = "VOICE"
question = "^What is this"
answer = "It is a lighthouse."
"""
"""What comes before the rules that ship."""


class Notes:
    """What the tool `notes.add` has written."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> str:
        return self.file.read_text() if self.file.exists() else ""


@pytest.fixture(scope="package")
async def scripted() -> AsyncIterator[Stack]:
    stack = Stack({"INFERENCE_ENGINE": "scripted", "REFLECTOR": "off"})
    shutil.copytree(ROOT / "recipes", stack.data_dir / "recipes")
    (stack.data_dir / "recipes" / "noting.toml").write_text(NOTING)
    (stack.data_dir / "recipes" / "calling.toml").write_text(CALLING)
    shutil.copytree(ROOT / "tests" / "tools_dir", stack.data_dir / "tools")
    standard = ROOT / "services/inference/scripted/standard.toml"
    (stack.data_dir / "script.toml").write_text(SCRIPT + standard.read_text())
    stack.environment |= {
        "RECIPES_DIR": str(stack.data_dir / "recipes"),
        "TOOLS_DIR": str(stack.data_dir / "tools"),
        "SCRIPT": str(stack.data_dir / "script.toml"),
    }
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


@pytest.fixture
def notes(scripted: Stack) -> Notes:
    """No test finds what another one wrote."""
    notes = Notes(scripted.data_dir / "notes.txt")
    notes.file.unlink(missing_ok=True)
    return notes
