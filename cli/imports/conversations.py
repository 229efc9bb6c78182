"""`pandora import conversations`: messages of a file, sent to the gateway."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import msgspec

from cli.client.gateway import OF_INDEXER, own_gateway
from cli.imports.formats.recognition import Conversations, UnknownFormat, read_conversations
from cli.imports.sending import SLOW, Answer, Importer, send_all
from cli.terminal.failure import CommandFailed
from cli.terminal.output import print_error, print_json, print_text
from cli.terminal.progress import progress_bar

_SHOWN = 50
_AGAIN = "The same command goes on from there: what is stored is not stored twice."


def import_conversations(file: str, user: str | None, *, as_json: bool) -> bool:
    """Returns whether every line was good. Raises CommandFailed."""
    total = Answer()
    with _opened(file) as opened:
        try:
            found = read_conversations(opened)
        except UnknownFormat as error:
            raise CommandFailed(f"{file}: {error}") from error
        _send_all(found, user, total, show=not as_json)
    if as_json:
        print_json(msgspec.to_builtins(total))
    else:
        _show(total, found.unit)
    return not total.bad_lines


def _send_all(found: Conversations, user: str | None, total: Answer, *, show: bool) -> None:
    """Adds the gateway's answers to `total`. An error says how far it came."""
    try:
        asyncio.run(_send(found, user, total, show=show))
    except KeyboardInterrupt:
        raise CommandFailed(f"\nLeft after {_counts(total)}. {_AGAIN}", 130) from None
    except CommandFailed as error:
        so_far = f"\nStopped after {_counts(total)}. {_AGAIN}" if total.lines else ""
        raise CommandFailed(f"{error}{so_far}") from error


async def _send(found: Conversations, user: str | None, total: Answer, *, show: bool) -> None:
    async with own_gateway(SLOW, needs=[OF_INDEXER]) as gateway:
        with progress_bar("messages", show=show) as progress:
            task = progress.add_task("", total=found.total)
            importer = Importer(gateway, user)
            await send_all(found.lines, importer, total, lambda sent: progress.update(task, completed=sent))


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """Opens the file. Standard input is copied to a file first: it is read twice."""
    if file == "-":
        with TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield kept
        return
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
        yield opened


def _counts(total: Answer) -> str:
    return (
        f"{total.lines:,} messages ({total.new:,} new, {total.changed:,} changed, {total.known:,} known"
        f"{f', {total.bad_lines:,} bad' if total.bad_lines else ''})"
    )


def _show(total: Answer, unit: str) -> None:
    print_text(f"Imported {_counts(total)}.")
    for bad in total.bad[:_SHOWN]:
        print_error(f"{unit} {bad.line}: {bad.reason}")
    if total.bad_lines > _SHOWN:
        print_error(f"... and {total.bad_lines - _SHOWN:,} more; --json names them.")
