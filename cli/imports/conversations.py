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
from cli.terminal.output import counted, print_error, print_json, print_text
from cli.terminal.progress import bytes_bar

_SHOWN = 50
_AGAIN = "The same command goes on from there: what is stored is not stored twice."


def import_conversations(file: str, user: str | None, *, as_json: bool) -> bool:
    """Returns whether every line and conversation was good. Raises CommandFailed."""
    total = Answer()
    with _opened(file) as opened:
        try:
            found = read_conversations(opened)
            _send_all(found, user, total, show=not as_json)
        except UnknownFormat as error:
            raise CommandFailed(f"{file}: {error}{_so_far(total)}") from error
    if as_json:
        print_json(_as_json(total, found))
    else:
        _show(total, found)
    return not (total.bad_lines or found.odd_conversations)


def _send_all(found: Conversations, user: str | None, total: Answer, *, show: bool) -> None:
    """Adds the gateway's answers to `total`. An error says how far it came. May raise UnknownFormat."""
    try:
        asyncio.run(_send(found, user, total, show=show))
    except KeyboardInterrupt:
        raise CommandFailed(f"\nLeft after {_counts(total)}. {_AGAIN}", 130) from None
    except CommandFailed as error:
        raise CommandFailed(f"{error}{_so_far(total)}") from error


def _so_far(total: Answer) -> str:
    return f"\nStopped after {_counts(total)}. {_AGAIN}" if total.lines else ""


async def _send(found: Conversations, user: str | None, total: Answer, *, show: bool) -> None:
    async with own_gateway(SLOW, needs=[OF_INDEXER]) as gateway:
        with bytes_bar(show=show) as progress:
            task = progress.add_task("")

            def on_sent(sent: int) -> None:
                progress.update(
                    task, description=f"{sent:,} messages", completed=found.done, total=found.size
                )

            await send_all(found.lines, Importer(gateway, user), total, on_sent)


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
        f"{counted(total.lines, 'message', 'messages')} ({total.new:,} new, "
        f"{total.changed:,} changed, {total.known:,} known"
        f"{f', {total.bad_lines:,} bad' if total.bad_lines else ''})"
    )


def _as_json(total: Answer, found: Conversations) -> dict[str, object]:
    of_export = {
        "conversations": found.found,
        "odd": found.odd,
        "odd_conversations": found.odd_conversations,
        "left_out": dict(found.left_out),
    }
    counts: dict[str, object] = msgspec.to_builtins(total)
    return counts | (of_export if found.unit == "message" else {})


def _show(total: Answer, found: Conversations) -> None:
    print_text(f"Imported {_counts(total)}.")
    if found.left_out:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.left_out.most_common())
        print_text(f"Left out, as they are no text: {kinds}.")
    if found.odd_conversations:
        print_error(f"{counted(found.odd_conversations, 'conversation', 'conversations')} not imported:")
    _show_some(found.odd, found.odd_conversations)
    _show_some([f"{found.unit} {bad.line}: {bad.reason}" for bad in total.bad], total.bad_lines)


def _show_some(reasons: list[str], count: int) -> None:
    for reason in reasons[:_SHOWN]:
        print_error(reason)
    if count > _SHOWN:
        print_error(f"... and {count - _SHOWN:,} more; --json names them.")
