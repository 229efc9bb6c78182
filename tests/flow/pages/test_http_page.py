"""The scripts in docs/http.md run as they stand."""

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.stack import ROOT, Stack

_SCRIPT = re.compile(r"^```bash (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPTS = dict(_SCRIPT.findall((ROOT / "docs/http.md").read_text()))
_SECONDS = 60.0


async def run(name: str, stack: Stack, folder: Path) -> str:
    """Returns what the script prints. It gets the address of the stack, and curl gets alice's key."""
    (folder / ".curlrc").write_text(f'header = "Authorization: {stack.headers()["authorization"]}"\n')
    script = SCRIPTS[name].replace("http://127.0.0.1:9000", stack.gateway_url)
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script,
        cwd=folder,
        env=os.environ | {"HOME": str(folder), "CURL_HOME": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_a_request_sent_again_is_one_turn(stack: Stack, tmp_path: Path) -> None:
    first, problem = (await run("again.sh", stack, tmp_path)).splitlines()

    assert first == "one turn"
    assert json.loads(problem)["status"] == 409


async def test_a_reader_comes_back_where_it_left(stack: Stack, tmp_path: Path) -> None:
    printed = await run("resume.sh", stack, tmp_path)

    whole, rest = (tmp_path / "whole.txt").read_text(), (tmp_path / "rest.txt").read_text()
    assert printed == "id: 5\n"
    assert rest
    assert whole.endswith(rest)


async def test_an_image_that_is_not_seen_is_said(stack: Stack, tmp_path: Path) -> None:
    assert await run("look.sh", stack, tmp_path) == "I could not look at image_1.png\n"


async def test_a_turn_is_stopped(stack: Stack, tmp_path: Path) -> None:
    answer = json.loads(await run("cancel.sh", stack, tmp_path))

    assert set(answer) == {"turn_id", "found", "phase", "done", "takes_effect", "calls"}


async def test_lines_are_imported(stack: Stack, tmp_path: Path) -> None:
    answer = json.loads(await run("import.sh", stack, tmp_path))

    assert (answer["lines"], [bad["line"] for bad in answer["bad"]]) == (3, [3])


async def test_an_image_is_uploaded_and_deleted(stack: Stack, tmp_path: Path) -> None:
    same, deleted = (await run("files.sh", stack, tmp_path)).splitlines()

    assert same == "as it was sent"
    file = json.loads((tmp_path / "file.json").read_text())
    assert (file["filename"], file["media_type"], file["width"]) == ("bee.png", "image/png", 8)
    assert json.loads(deleted) == {"id": file["id"], "object": "file", "deleted": True}


async def test_what_is_exported_is_imported(stack: Stack, tmp_path: Path) -> None:
    await stack.tell("The tide clock hangs in the hall.")

    printed = await run("export.sh", stack, tmp_path)

    answer = json.loads(printed.splitlines()[-1])
    assert answer["lines"] == answer["known"] > 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_run_here(name: str) -> None:
    assert f'"{name}"' in Path(__file__).read_text(encoding="utf-8")


async def test_a_newer_memory_supersedes(stack: Stack, tmp_path: Path) -> None:
    newer = json.loads(await run("memories.sh", stack, tmp_path))
    both = json.loads((tmp_path / "both.json").read_text())["memories"]

    assert [one["value"] for one in both] == ["hojicha", "genmaicha"]
    assert both[1]["superseded_by"] == newer["memory_id"]
