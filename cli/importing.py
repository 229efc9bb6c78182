"""`pandora import`: brings conversations from elsewhere to the gateway."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from cli.client import own_gateway
from cli.conversations.recognition import Conversations, UnknownFormat, read_conversations
from cli.conversations.sending import SLOW, Answer, Importer, send_all
from cli.failure import CommandFailed
from cli.terminal import harmless

_SHOWN = 50
_AGAIN = "The same command goes on from there: what is stored is not stored twice."

imports = typer.Typer(help="Bring in what was said elsewhere.", no_args_is_help=True)
console = Console()
errors = Console(stderr=True)


@imports.callback()
def _of_what() -> None:
    """What is to be brought in is a command of its own."""


@imports.command("conversations")
def import_conversations(
    file: Annotated[
        str, typer.Argument(help="NDJSON, or an export of ChatGPT or Claude; `-`: what comes in.")
    ],
    user: Annotated[str | None, typer.Option(help="Whose they are, where a line names nobody.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Import messages; the same file again changes nothing. Exit status 1 where lines are bad."""
    total = Answer()
    with _opened(file) as opened:
        try:
            found = read_conversations(opened)
        except UnknownFormat as error:
            raise CommandFailed(f"{file}: {error}") from error
        try:
            asyncio.run(_send(found, user, total, show=not as_json))
        except KeyboardInterrupt:
            _tell(f"\nLeft after {_counts(total)}. {_AGAIN}")
            raise typer.Exit(130) from None
        except CommandFailed as error:
            so_far = f"\nStopped after {_counts(total)}. {_AGAIN}" if total.lines else ""
            raise CommandFailed(f"{error}{so_far}") from error
    if as_json:
        _print(json.dumps(msgspec.to_builtins(total), ensure_ascii=False, indent=2))
    else:
        _show(total, found.unit)
    raise typer.Exit(1 if total.bad_lines else 0)


async def _send(found: Conversations, user: str | None, total: Answer, *, show: bool) -> None:
    columns = (BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    async with own_gateway(SLOW) as gateway:
        with Progress(*columns, console=errors, disable=not show) as progress:
            task = progress.add_task("", total=found.total)
            await send_all(
                found.lines,
                Importer(gateway, user),
                total,
                lambda sent: progress.update(task, completed=sent),
            )


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} messages/s")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """What comes in is kept in a file first: it is read twice."""
    if file == "-":
        with TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield kept
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115  # closed below; only its opening is caught here
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    with opened:
        yield opened


def _counts(total: Answer) -> str:
    return (
        f"{total.lines:,} messages ({total.new:,} new, {total.changed:,} changed, {total.known:,} known"
        f"{f', {total.bad_lines:,} bad' if total.bad_lines else ''})"
    )


def _show(total: Answer, unit: str) -> None:
    _print(f"Imported {_counts(total)}.")
    for bad in total.bad[:_SHOWN]:
        _tell(f"{unit} {bad.line}: {bad.reason}")
    if total.bad_lines > _SHOWN:
        _tell(f"... and {total.bad_lines - _SHOWN:,} more; --json names them.")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _tell(text: str) -> None:
    errors.print(harmless(text), markup=False, highlight=False, soft_wrap=True)
