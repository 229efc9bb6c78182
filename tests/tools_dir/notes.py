"""A user's own tool, for tests: a copy of this folder is the TOOLS_DIR of an installation.

It also runs in older versions of Pandora (tests/upgrade).
"""

import asyncio
from pathlib import Path

import msgspec

from services.orchestrator.tools.tool import Caller, make_tool


class Note(msgspec.Struct):
    text: str


async def write(note: Note, caller: Caller) -> str:
    await asyncio.to_thread(_append, note.text)
    return f"noted: {note.text}"


def _append(text: str) -> None:
    with Path("notes.txt").open("a", encoding="utf-8") as notes:
        notes.write(f"{text}\n")


TOOLS = [make_tool("notes.add", "Writes a note down.", "write", Note, write, approval=True)]
