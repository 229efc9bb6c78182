"""The pages tell the truth: what they name exists, and the programs in docs/nats.md run as they stand."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from cli.main import app
from tests.stack import ROOT, Stack

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"(?<![\w/.-])((?:services|shared|cli|deploy|docs|tests|bench|\.ci)/[\w./-]*)")
_NAME_IN_FILE = re.compile(r"(?:\]\(|`)([\w./-]+\.py)[)`]\s+`([A-Za-z_][\w.]*)`")
_OURS = {
    "PYTHON",
    "PATH",
    "TERM",
    "CI",
    "BENCH_REQUESTS",
    "SOAK_TURNS",
    "SOAK_REQUESTS",
    "SOAK_KILLS",
    "SOAK_SEED",
    "SOAK_CLIENTS",
    "SOAK_CLUSTER",
    "BENCH_TURNS",
    "REV",
    "ENABLE_FORWARD_USER_INFO_HEADERS",  # Open WebUI's
    "FORWARD_USER_INFO_HEADER_JWT_SECRET",  # Open WebUI's
}
"""Variables that are no settings of Pandora: make, the shell and continuous integration read them."""
_SECONDS = 60.0

page_by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@page_by_page
def test_every_link_and_path_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    linked = [page.parent / link for link in _LINK.findall(text)]
    named = [ROOT / path.rstrip(".") for path in _PATH.findall(text)]

    assert [str(path) for path in linked + named if not path.exists()] == []


@page_by_page
def test_every_name_is_in_the_file_of_its_row(page: Path) -> None:
    """`shared/bus/connection.py` `Bus.publish`: the file defines what the page says that it does."""
    missing = [
        f"{file}: {name}"
        for file, name in _NAME_IN_FILE.findall(page.read_text(encoding="utf-8"))
        if not _defines((ROOT / file.replace("../", "")).read_text(), name.rpartition(".")[2])
    ]

    assert missing == []


def test_the_page_of_a_turn_has_eight_stops_each_with_its_file() -> None:
    stops = re.split(r"^## \d ", (ROOT / "docs/turn.md").read_text(), flags=re.MULTILINE)[1:]

    assert len(stops) == 8
    assert all(_NAME_IN_FILE.search(stop) for stop in stops)


@page_by_page
def test_every_command_and_target_exists(page: Path) -> None:
    commands = set(typer.main.get_group(app).commands)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(_code_of(page))

    assert set(re.findall(r"(?:^|[\s/(])pandora ([a-z]+)\b", code, re.MULTILINE)) <= commands
    assert set(re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", code, re.MULTILINE)) <= targets


@page_by_page
def test_every_setting_exists(page: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    known = set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)) | _OURS

    given = re.findall(r"(?<![\w-])([A-Z][A-Z0-9_]+)=", "\n".join(_code_of(page)))

    assert set(given) <= known


async def test_the_page_of_routes_names_them_all(stack: Stack) -> None:
    page = (ROOT / "docs/http.md").read_text()

    _, described = await stack.call("GET", "/openapi.json")

    routes = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert set(re.findall(r"^\| `([A-Z]+) (/v1\S*)` \|", page, re.MULTILINE)) == routes


async def test_the_programs_by_bare_nats_run_as_the_page_has_them(stack: Stack, tmp_path: Path) -> None:
    fact = "My brother Tomas lives in Riga."

    said = await _run("say.py", stack, tmp_path)
    async with asyncio.timeout(_SECONDS):
        while fact not in await _run("find.py", stack, tmp_path):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.1)
    answered = await _run("say.py", stack, tmp_path, "Where does Tomas live?")

    assert re.fullmatch(r"turn \d+: .+\nturn\.saved: \[\]\n", said)
    assert fact in answered.splitlines()[0]
    assert f'"quote": "{fact}"' in answered.splitlines()[-1]

    turn_id = json.loads(answered.splitlines()[-1].removeprefix("turn.saved: "))[0]["turn_id"]
    controlled = await _run("control.py", stack, tmp_path, turn_id, "cancel")
    told = await _run("told.py", stack, tmp_path, turn_id)

    assert json.loads(controlled) | {"found": "saved", "done": False} == json.loads(controlled)
    assert [int(line.split()[0]) for line in told.splitlines()] == list(range(len(told.splitlines())))
    assert told.splitlines()[0].startswith("0 turn.queued")
    assert told.splitlines()[-1].split()[1] == "turn.saved"


async def test_the_program_that_brings_messages_in_does_so_once(stack: Stack, tmp_path: Path) -> None:
    answers = [json.loads(await _run("bring.py", stack, tmp_path)) for _ in range(2)]

    assert answers == [{"new": 1, "changed": 0, "known": 0}, {"new": 0, "changed": 0, "known": 1}]


async def _run(name: str, stack: Stack, folder: Path, *arguments: str) -> str:
    """Returns what a program of docs/nats.md prints. It gets the address of the test's NATS alone."""
    (folder / name).write_text(_program(name))
    process = await asyncio.create_subprocess_exec(
        sys.executable, name, *arguments,
        cwd=folder,
        env=os.environ | {"NATS_URL": stack.nats_url, "NATS_SEED": stack.login()["nkeys_seed"]},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def _program(name: str) -> str:
    [code] = [
        code for kind, code in _FENCE.findall((ROOT / "docs/nats.md").read_text()) if kind == f"python {name}"
    ]
    return str(code)


def _code_of(page: Path) -> Iterator[str]:
    """What stands in fences and between backticks, but for JSON: that is data."""
    text = page.read_text(encoding="utf-8")
    yield from (code for language, code in _FENCE.findall(text) if language != "json")
    yield from re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def _defines(source: str, name: str) -> bool:
    return re.search(rf"^\s*(?:(?:async )?def|class) {name}\b|^{name}\b.*=", source, re.MULTILINE) is not None
