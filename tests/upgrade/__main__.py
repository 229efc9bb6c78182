"""python -m tests.upgrade REV: a data folder that an older revision wrote is opened by this checkout.

REV runs from a checkout and an environment of its own (`bench/running/code.py`). It writes turns, memories,
an import, an archive, a file, a session's recipe, and a turn whose tool call waits for a person. Then this
checkout starts on the same folder. Exit status 1 where it reads anything differently.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from typing import Any

from bench.running.code import OWN, Code, code_at
from tests.contracts.orchestrator.images_room import image_bytes
from tests.stack import Stack

_RECIPE = """
phases = ["plan", "coordinate", "synthesis", "save"]
tools = ["notes.*"]
"""
_SCRIPT = """
[[rule]]
schema = "Plan"
[[rule.json]]
goals = ["write it down"]
calls = [{ id = "n", tool = "notes.add", arguments = { text = "{question}" }, after = [] }]
is_done = true

[[rule]]
role = "VOICE"
answer = "Done."
"""
_IMPORT = {
    "session_id": "elsewhere",
    "message_id": "m1",
    "speaker": "Caroline",
    "text": "I adopted a greyhound, his name is Biscuit.",
    "at": "2023-05-08T12:00:00Z",
}
_LISTS = ("/v1/turns?limit=100", "/v1/memories", "/v1/files", "/v1/sessions/mine")
"""Not `/v1/sessions`: 74b5a28 listed no imported ones, and said less of each."""
_QUESTIONS = ("What is the greyhound called?", "Where does Mira live?", "What colour is the boat?")


class Installation(Stack):
    """A stack whose code can be another one at its next start."""

    def __init__(self) -> None:
        super().__init__({"INFERENCE_ENGINE": "scripted", "ARCHIVE_AFTER_DAYS": "0"})
        shutil.copytree(OWN.root / "tests" / "tools_dir", self.data_dir / "tools")
        (self.data_dir / "recipes").mkdir()
        (self.data_dir / "recipes" / "noting.toml").write_text(_RECIPE)
        (self.data_dir / "recipes" / "direct.toml").write_text((OWN.root / "recipes/direct.toml").read_text())
        (self.data_dir / "script.toml").write_text(_SCRIPT)
        self.environment |= {
            "RECIPES_DIR": str(self.data_dir / "recipes"),
            "TOOLS_DIR": str(self.data_dir / "tools"),
            "SCRIPT": str(self.data_dir / "script.toml"),
        }

    def start_with(self, code: Code) -> None:
        self.python = code.python
        self.environment["PYTHONPATH"] = str(code.root)
        self.start()

    async def until(self, turn_id: str, status: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                _, turn = await self.call("GET", f"/v1/turns/{turn_id}")
                if turn.get("status") == status:
                    return dict(turn)
                await asyncio.sleep(0.1)

    async def seen(self, turn_ids: list[str]) -> dict[str, Any]:
        """All that a user can read, by the address where it is read."""
        paths = [*_LISTS]
        for turn_id in turn_ids:
            _, listed = await self.call("GET", f"/v1/turns/{turn_id}/documents")
            paths += [f"/v1/turns/{turn_id}", *(document["href"] for document in listed["documents"])]
        found = {path: (await self.call("GET", path))[1] for path in paths}
        for question in _QUESTIONS:
            _, reply = await self.call("POST", "/v1/search", {"query": question, "limit": 50})
            best, *others = [(hit["kind"], hit["id"], hit["text"]) for hit in reply["hits"]]
            # Another engine makes a slightly other vector: hits without the answer change places.
            found[question] = [best, *sorted(others)]
        return found


async def write(stack: Installation) -> tuple[list[str], str]:
    """The ids of turns that ended, and of one that waits for a person."""
    status, stored = await stack.call("POST", "/v1/imports", json.dumps(_IMPORT).encode())
    assert status == 200, stored
    told = [
        await stack.tell(text, session_id="mine")
        for text in (
            "My sister Mira lives in Lisbon.",
            "I live in Riga.",
            "I moved to Porto.",
            "My boat is blue.",
        )
    ]
    await stack.call("POST", "/v1/memories", {"text": "I prefer tea to coffee."})
    file_id = await stack.upload("bed.png", image_bytes("PNG"))
    ended = [str(turn["turn_id"]) for turn in told]
    dated, _ = await stack.call("POST", "/v1/admin/archive?older_than_days=0")
    assert dated == 200
    assert (stack.data_dir / "turns" / "archive").exists()
    ended.append(str((await stack.tell("What grows here?", session_id="mine"))["turn_id"]))
    status, _ = await stack.call("PATCH", "/v1/sessions/mine", {"recipe": "noting"})
    assert (status, bool(file_id)) == (200, True)
    _, turn = await stack.call("POST", "/v1/turns", {"input": "buy milk", "session_id": "mine"})
    await stack.until(turn["id"], "waiting")
    return ended, turn["id"]


def holds(found: Any, wanted: Any) -> bool:
    """Whether all of it is there. A later version may tell more of a thing."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(name in found and holds(found[name], value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


async def check(stack: Installation, before: dict[str, Any], ended: list[str], waiting: str) -> list[str]:
    """What is not as it should be."""
    after = await stack.seen(ended)
    wrong = [
        f"{path}: {before[path]!r} became {after[path]!r}"
        for path in before
        if not holds(after[path], before[path])
    ]
    await stack.until(waiting, "waiting")
    status, answered = await stack.call("POST", f"/v1/turns/{waiting}/approve", {})
    if (status, answered.get("calls")) != (200, ["1.n"]):
        wrong.append(f"approving what waits: {status} {answered}")
    turn = await stack.until(waiting, "saved")
    notes = (stack.data_dir / "notes.txt").read_text()
    if (turn["output"], notes) != ("Done.", "buy milk\n"):
        wrong.append(f"the approved turn: {turn['output']!r}, its tool wrote {notes!r}")
    answer = await stack.tell("Where does Mira live now?", session_id="another")
    if answer["turn_number"] <= turn["turn_number"]:
        wrong.append(f"turn numbers do not rise: {answer['turn_number']} after {turn['turn_number']}")
    run = subprocess.run(  # noqa: ASYNC221  # nothing else runs here
        [sys.executable, "-m", "cli.main", "check"],
        env=stack.environment,
        cwd=stack.data_dir,
        capture_output=True,
        text=True,
    )
    print(run.stdout)
    if run.returncode:
        wrong.append(f"pandora check: {run.returncode}\n{run.stdout}{run.stderr}")
    return wrong


def main(revision: str) -> int:
    stack = Installation()
    try:
        stack.start_with(code_at(revision))
        ended, waiting = asyncio.run(write(stack))
        before = asyncio.run(stack.seen(ended))
        print(f"{revision} wrote {len(ended)} turns and one that waits; read at {len(before)} addresses")
        assert stack.stop() == 0, stack.terminal()
        stack.start_with(OWN)
        wrong = asyncio.run(check(stack, before, ended, waiting))
    finally:
        stack.stop()
    print("\n".join(wrong) or "everything reads as it did")
    if not wrong:
        stack.remove()
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
