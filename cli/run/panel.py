"""The panel that `pandora up` shows when everything is ready."""

import shutil
import sysconfig
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.run.run_folder import RunFolder, StackState
from deploy.local.settings import StackSettings
from shared.bus.connection import Bus
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Models


async def ready_panel(
    settings: StackSettings, folder: RunFolder, state: StackState, *, how_to_stop: str
) -> RenderableType:
    address = settings.gateway.url
    facts = _grid(
        ("address", f"{address}   (its API: {address}/docs)"),
        ("engine", await _engine(settings)),
        ("data", str(folder.data)),
        ("logs", f"{folder.logs}   (`pandora logs -f`)"),
        ("ready", f"after {state.ready_after_seconds or 0.0:.1f} s; {how_to_stop} stops it"),
        *(("not ready", f"{name} ({reason})") for name, reason in state.unready.items()),
    )
    commands = Text(
        '  pandora ask "My sister Mira lives in Lisbon and keeps bees."\n'
        f"  curl -s {address}/v1/turns\n"
        "  pandora status",
        style="bold",
    )
    body = Group(
        facts, *_what_is_missing(state), Text("\nTry, in another terminal:"), commands, *_path_hint()
    )
    title = "Pandora runs, and is not ready" if state.unready else "Pandora is ready"
    return Panel(body, title=title, title_align="left", box=box.HORIZONTALS, padding=(0, 1))


def _grid(*rows: tuple[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, Text(value))
    return grid


async def _engine(settings: StackSettings) -> str:
    """Returns what inference answers, or the setting where it does not answer in time."""
    try:
        async with Bus.connect("operator", settings.local.for_a_command()) as bus:
            reply = await bus.ask(Models())
    except (Transient, Refused):
        return settings.inference.inference_engine
    return f"{reply.engine}, model {', '.join(reply.models) or 'none yet'}"


def _what_is_missing(state: StackState) -> list[Text]:
    if not state.unready:
        return []
    return [
        Text(
            "\nPandora goes on trying, and is ready as soon as what is missing is there. Where a setting is "
            "wrong, stop Pandora, correct the setting, and start it again."
        )
    ]


def _path_hint() -> list[Text]:
    """Says how to put `pandora` on the path. Nothing where the shell finds it already."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = shutil.which("pandora")
    if found and Path(found).parent == scripts:
        return []
    return [Text("\nPut `pandora` on the path:"), Text(f'  export PATH="{scripts}:$PATH"', style="bold")]
