"""Custom tools and the setting MCP_SERVERS: read at the start, with errors that name the place."""

from pathlib import Path

import pytest

from services.orchestrator.tools.custom import custom_tools
from services.orchestrator.tools.mcp_servers import McpServer, read_mcp_servers
from services.orchestrator.tools.tool import Caller
from services.orchestrator.tools.toolbox import Toolbox
from shared.process.environment import SettingsError

CALLER = Caller(user="mira", session_id="s1", turn_id="t1", turn_number=1)
PAGE = Path(__file__).parents[4] / "docs" / "tools.md"
GOOD = '''
"""Dice."""

from __future__ import annotations

import msgspec

from services.orchestrator.tools.tool import Caller, make_tool


class Dice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sides: int = 6


async def roll(arguments: Dice, caller: Caller) -> str:
    return f"{arguments.sides} for {caller.user}"


TOOLS = [make_tool("dice.roll", "Rolls a die.", "read", Dice, roll)]
'''


async def test_a_file_with_a_list_of_tools_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(GOOD)
    (tmp_path / "_parts.py").write_text("raise RuntimeError")
    (tmp_path / "notes.txt").write_text("no Python")

    box = Toolbox(custom_tools(tmp_path))

    assert box.names == ["dice.roll"]
    assert (await box.run("dice.roll", {"sides": 20}, CALLER)).text == "20 for mira"
    assert (await box.run("dice.roll", {"sides": "20"}, CALLER)).is_error


def test_without_the_setting_there_are_none() -> None:
    assert custom_tools(None) == []


def test_the_example_of_the_page_is_a_tool(tmp_path: Path) -> None:
    example = PAGE.read_text().split("```python\n", 1)[1].split("```", 1)[0]
    (tmp_path / "example.py").write_text(example)

    assert custom_tools(tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "bad.py: it has no list TOOLS = [...]; docs/tools.md has one"),
        ("TOOLS = {}", "it has no list TOOLS"),
        ("TOOLS = [", "bad.py: it cannot be loaded: SyntaxError"),
        (
            "import no_such_module",
            "it cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("raise SystemExit(1)", "it cannot be loaded: SystemExit"),
        ("TOOLS = [7]", "number 1 of TOOLS is no tool (AttributeError"),
        (
            GOOD.replace("dice.roll", "Roll the dice"),
            "is called 'Roll the dice'; a name looks like weather.now",
        ),
        (GOOD.replace('"Rolls a die."', '" "'), "number 1 of TOOLS (dice.roll) has no description"),
        (
            GOOD.replace('"read", Dice', '"all", Dice'),
            "(dice.roll) has no permission of read, write, network",
        ),
        (GOOD.replace("sides: int = 6", "again: Dice | None = None"), "Dice contains itself"),
    ],
)
def test_a_mistake_ends_the_start_with_one_line(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(source)

    with pytest.raises(SettingsError) as error:
        custom_tools(tmp_path)

    assert str(error.value).startswith(f"TOOLS_DIR='{tmp_path}': bad.py: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such folder"):
        custom_tools(tmp_path / "gone")


# --- MCP_SERVERS ---


def test_servers_are_read_of_json() -> None:
    servers = read_mcp_servers(
        '[{"name": "notes", "command": "notes-mcp", "args": ["--all"], "approval": false},'
        ' {"name": "wiki", "url": "http://127.0.0.1:9100/mcp", "tools": ["read_*"], "seconds": 5}]'
    )

    assert servers == [
        McpServer(name="notes", command="notes-mcp", args=["--all"], approval=False),
        McpServer(name="wiki", url="http://127.0.0.1:9100/mcp", tools=["read_*"], seconds=5.0),
    ]
    assert read_mcp_servers(" ") == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("{", "MCP_SERVERS: "),
        ("{}", "Expected `array`, got `object`"),
        ("[{}]", "missing required field `name` - at `$[0]`"),
        ('[{"name": "a", "comand": "x"}]', "unknown field `comand` - at `$[0]`"),
        ('[{"name": "A b", "command": "x"}]', "at `$[0].name`"),
        ('[{"name": "a", "command": "x", "seconds": 0}]', "at `$[0].seconds`"),
        ('[{"name": "a"}]', "MCP_SERVERS[0] (a): give it a command or a url"),
        ('[{"name": "a", "command": "x", "url": "http://x"}]', "and not both"),
        ('[{"name": "a", "url": "file:///x"}]', "MCP_SERVERS[0] (a).url must begin with http"),
        ('[{"name": "memory", "command": "x"}]', "that of Pandora's own tools"),
        (
            '[{"name": "a", "command": "x"}, {"name": "a", "command": "y"}]',
            "MCP_SERVERS[1] (a).name is given twice",
        ),
    ],
)
def test_a_wrong_server_is_said_in_one_line(setting: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_mcp_servers(setting)

    assert said in str(error.value)
    assert "\n" not in str(error.value)
