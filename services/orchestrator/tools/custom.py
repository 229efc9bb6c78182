"""Custom tools: the Python files of TOOLS_DIR, each with a list `TOOLS`, loaded once at the start."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args

from services.orchestrator.tools.tool import NAME_PATTERN, Permission, Tool, ToolLimits
from shared.process.environment import SettingsError

_ADVICE: Final = "docs/tools.md has one to begin with"


def custom_tools(folder: Path | None) -> list[Tool]:
    """Skips files whose names begin with `_`: other files can import them. Raises SettingsError."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise SettingsError(
            f"TOOLS_DIR={str(folder)!r}: there is no such folder; make it, or leave TOOLS_DIR out"
        )
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    return [tool for file in files for tool in _tools_of(file)]


def _tools_of(file: Path) -> Iterator[Tool]:
    tools = getattr(_loaded(file), "TOOLS", None)
    if not isinstance(tools, list | tuple):
        raise _mistake(file, f"it has no list TOOLS = [...]; {_ADVICE}")
    for number, tool in enumerate(tools, 1):
        fault = _fault_of(tool)
        if fault:
            raise _mistake(file, f"number {number} of TOOLS {fault}; {_ADVICE}")
        yield tool


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"pandora_own_tools_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise _mistake(file, "Python cannot load it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # msgspec and dataclasses look up types there.
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _mistake(file, f"it cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _fault_of(tool: Any) -> str | None:
    try:
        if re.fullmatch(NAME_PATTERN, tool.name) is None:
            return f"is called {tool.name!r}; a name looks like weather.now"
        faults = {
            "no description": not isinstance(tool.description, str) or not tool.description.strip(),
            f"no permission of {', '.join(get_args(Permission))}": tool.permission
            not in get_args(Permission),
            "no approval of True or False": not isinstance(tool.approval, bool),
            "no limits of type ToolLimits": not isinstance(tool.limits, ToolLimits),
            "no schema of an object": not isinstance(tool.schema, dict)
            or tool.schema.get("type") != "object",
            "nothing to call": not callable(tool),
        }
    except Exception as error:
        return f"is no tool ({type(error).__name__}: {error}); make it with make_tool"
    return next((f"({tool.name}) has {fault}" for fault, is_so in faults.items() if is_so), None)


def _mistake(file: Path, what: str) -> SettingsError:
    one_line = " ".join(what.split())
    return SettingsError(f"TOOLS_DIR={str(file.parent)!r}: {file.name}: {one_line}")
