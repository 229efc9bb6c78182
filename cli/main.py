"""The `pandora` command."""

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.approving import Approving, approve, deny
from cli.ask import SILENCE_SECONDS, Asked, how_to_find, show, stream_turn
from cli.background import start_in_background, stop
from cli.check import check
from cli.client import own_gateway, silent_for
from cli.dead import dead
from cli.env_example import render_example
from cli.exporting import archive, export
from cli.failure import CommandFailed
from cli.follow import follow_logs, show_logs
from cli.forgetting import forget
from cli.images import add_images
from cli.importing import imports
from cli.launcher import launch, open_folder
from cli.memories import memories
from cli.panel import ready_panel
from cli.queue import cancel
from cli.reimporting import import_export
from cli.reindex import reindex
from cli.run_folder import AlreadyRunning, RunFolder
from cli.settings import describe_all, gateway_url
from cli.supervisor import LaunchError
from cli.terminal import confirmed, harmless, somebody_is_there
from deploy.local.nats import as_cluster
from deploy.local.settings import LocalSettings, load_stack
from deploy.local.stack import START_ORDER
from shared.errors import SettingsError
from shared.settings import PostgresSettings, load

app = typer.Typer(
    help="Pandora: a lasting assistant out of a stateless model server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dead, name="dead")
app.add_typer(imports, name="import")
imports.command("export")(import_export)
app.command()(approve)
app.command()(deny)
app.command()(cancel)
app.command()(export)
app.command()(archive)
app.command()(reindex)
app.command()(check)
app.add_typer(memories, name="memories")
app.add_typer(forget, name="forget")
console = Console()
errors = Console(stderr=True)
LOGS = (*(name for group in START_ORDER for name in group), "launcher")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Run in the background; return when ready.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Three NATS servers that keep each stream together, for trials.")
    ] = False,
) -> None:
    """Start everything, and stop it again with Ctrl-C."""
    settings = as_cluster(load_stack()) if cluster else load_stack()
    if not detach:
        raise typer.Exit(launch(settings, console))
    folder = open_folder(settings)
    if folder.holder() is not None:
        raise AlreadyRunning(folder.data, folder.holder())
    seconds = start_in_background(folder, *(["--cluster"] if cluster else []))
    console.print(asyncio.run(ready_panel(settings, folder, seconds, how_to_stop="`pandora down`")))


@app.command()
def down() -> None:
    """Stop what `pandora up` started."""
    settings = load(LocalSettings)
    stop(RunFolder(settings.pandora_data_dir), settings.stop_timeout_seconds, _print_plain)


@app.command()
def status(as_json: Json = False) -> None:
    """Show each part, the queues, the engine and the memory. Exit status 1 unless all is ready."""
    from cli.status import read_status  # with the bus, it takes half a second to import
    from cli.status_tables import render

    report = asyncio.run(read_status(load_stack()))
    if as_json:
        _print_plain(msgspec.json.format(msgspec.json.encode(report)).decode())
    elif not report.running:
        _print_plain(f"Pandora is not running in {report.data_dir}. Start it with `pandora up`.")
    else:
        console.print(render(report))
    raise typer.Exit(0 if report.ready else 1)


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="What to say.")],
    session: Annotated[str | None, typer.Option(help="Session to go on with; left out: a new one.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The phases to go through, such as standard; left out: the default.")
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="A PNG, JPEG, WebP or GIF to talk about; may be given up to 8 times."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say something; the answer is shown as it comes, then the earlier turns that it stands on."""
    asked = Asked(text, session, recipe)
    try:
        asyncio.run(_ask(asked, image or [], as_json))
    except KeyboardInterrupt:
        _fail(f"\nLeft. {how_to_find(gateway_url(), asked)}", [], 130)


async def _ask(asked: Asked, images: list[Path], as_json: bool) -> None:
    confirm = confirmed if somebody_is_there() and not as_json else None
    async with own_gateway(silent_for(SILENCE_SECONDS)) as gateway:
        if images:
            await add_images(gateway, asked, images)
        approving = Approving(gateway, asked, _note, confirm)
        async with aclosing(stream_turn(gateway, asked)) as events:
            if as_json:
                last = await show(events, lambda text: None, lambda line: None, approving.answer)
            else:
                last = await show(events, _write, _note, approving.answer)
    if as_json:
        _print_plain(json.dumps(last, ensure_ascii=False, indent=2))
    elif "session_id" not in asked.body:
        _note(f"To go on: --session {last['session_id']}")


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help=f"One of {', '.join(LOGS)}; left out: all.")] = None,
    keep_on: Annotated[
        bool, typer.Option("--follow", "-f", help="Show what is added, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each log.")] = 20,
) -> None:
    """Show the last lines of the logs."""
    if service is not None and service not in LOGS:
        raise SettingsError(f"There is no log of {service!r}. There are: {', '.join(LOGS)}.")
    folder = RunFolder(load(LocalSettings).pandora_data_dir)
    names = [service] if service else [name for name in LOGS if folder.log_file(name).exists()]
    if not names or not folder.logs.exists():
        raise SettingsError(f"There are no logs in {folder.logs}. Start Pandora with `pandora up`.")
    width = max(map(len, names))

    def write(name: str, line: str) -> None:
        _print_plain(line if service else f"{name:<{width}} | {line}")

    show_logs(folder, names, lines, write)
    if keep_on:
        try:
            follow_logs(folder, names, write)
        except KeyboardInterrupt:
            return


@app.command()
def config(
    as_json: Json = False,
    example: Annotated[bool, typer.Option("--example", help="Print .env.example.")] = False,
) -> None:
    """Show every setting, its value and where it came from."""
    if example:
        sys.stdout.write(render_example())
        return
    rows = describe_all()
    if as_json:
        keys = ("name", "value", "origin")
        _print_plain(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name, value, origin in rows:
        table.add_row(name, Text(value), Text(origin, style="" if origin == "default" else "bold"))
    console.print(table)


@app.command()
def migrate() -> None:
    """Bring the database to this version; the indexer does so itself at its start."""
    from services.indexer.app import migrate as run_migrations  # takes seconds to import

    applied = asyncio.run(run_migrations(load(PostgresSettings).dsn))
    _print_plain("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")


def _print_plain(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _note(text: str) -> None:
    errors.print(harmless(text), style="dim", markup=False, highlight=False, soft_wrap=True)


def _write(text: str) -> None:
    console.print(harmless(text), end="", markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """Every error that a user can put right is lines on stderr, without a traceback."""
    try:
        app()
    except SettingsError as error:
        _fail(str(error), [], 2)
    except LaunchError as error:
        _fail(str(error), error.tail, error.status)
    except (AlreadyRunning, CommandFailed) as error:
        _fail(str(error), [], 1)


def _fail(message: str, tail: list[str], code: int) -> None:
    for line in (message, *tail):
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
