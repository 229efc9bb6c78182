"""`pandora import export`: brings what was exported to the gateway, there or elsewhere."""

import asyncio
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from cli.client import Gateway, own_gateway
from cli.conversations.sending import SLOW, Answer, BadLine, Importer, send_all
from cli.exporting import counted, read_manifest, said
from cli.failure import CommandFailed
from cli.terminal import harmless

_SHOWN = 50
_KNOWN_FORMAT = 1
_MEMORY_LINES = 20
console = Console()
errors = Console(stderr=True)


class Memories(msgspec.Struct):
    """What became of lines of memories."""

    stored: int = 0
    bad: list[str] = []


def import_export(
    file: Annotated[Path, typer.Argument(help="A zip that `pandora export` wrote.")],
    user: Annotated[str | None, typer.Option(help="Whose it becomes; for admins. Left out: yours.")] = None,
) -> None:
    """Import messages and memories of an export; again, it changes nothing.

    The documents of turns stay in the zip, for people to read. Exit status 1 where lines were not taken.
    """
    manifest = read_manifest(file)
    if manifest.get("format") != _KNOWN_FORMAT:
        raise CommandFailed(
            f"{file} has format {manifest.get('format')}; this version reads {_KNOWN_FORMAT}."
        )
    messages, memories = Answer(), Memories()
    try:
        with zipfile.ZipFile(file) as opened:
            asyncio.run(_import(opened, user, manifest["counts"], messages, memories))
    except zipfile.BadZipFile as error:
        raise CommandFailed(f"{file} is damaged: {error}. Nothing behind that is imported.") from error
    except KeyboardInterrupt:
        errors.print("\nLeft. The same command goes on from there: nothing is stored twice.", markup=False)
        raise typer.Exit(130) from None
    _show(messages, memories, manifest)
    raise typer.Exit(1 if messages.bad_lines or memories.bad else 0)


async def _import(
    opened: zipfile.ZipFile, user: str | None, counts: dict[str, int], messages: Answer, memories: Memories
) -> None:
    async with own_gateway(SLOW) as gateway:
        with said("Importing") as say:
            with opened.open("messages.ndjson") as lines:
                of_messages = f"of {counts['messages']:,} messages"
                importer = Importer(gateway, user)
                await send_all(
                    without_user(lines), importer, messages, lambda sent: say(f"{sent:,} {of_messages}")
                )
            with opened.open("memories.ndjson") as lines:
                of_memories = f"of {counts['memories']:,} memories"
                await _send_memories(
                    lines, gateway, user, memories, lambda sent: say(f"{sent:,} {of_memories}")
                )


def without_user(lines: Iterable[bytes]) -> Iterator[bytes]:
    """It becomes the user's whose key it is, or whom --user names, whoever said it elsewhere."""
    for line in lines:
        with suppress(msgspec.DecodeError):
            message = msgspec.json.decode(line, type=dict[str, Any])
            message.pop("user", None)
            yield msgspec.json.encode(message)
            continue
        yield line  # The gateway says what is wrong with it.


async def _send_memories(
    lines: Iterable[bytes],
    gateway: Gateway,
    user: str | None,
    memories: Memories,
    on_sent: Callable[[int], None],
) -> None:
    sent = 0
    for chunk in batched(lines, _MEMORY_LINES):
        query = {"user": user} if user else {}
        taken = await gateway.call("POST", "/v1/imports/memories", params=query, data=b"".join(chunk))
        answer = msgspec.convert(taken, _MemoriesTaken)
        memories.stored += answer.stored
        memories.bad += [f"line {sent + bad.line}: {bad.reason}" for bad in answer.bad]
        sent += len(chunk)
        on_sent(sent)


def batched(lines: Iterable[bytes], count: int) -> Iterator[list[bytes]]:
    rest = iter(lines)
    while chunk := list(islice(rest, count)):
        yield chunk


class _MemoriesTaken(msgspec.Struct):
    stored: int
    bad: list[BadLine]


def _show(messages: Answer, memories: Memories, manifest: dict[str, Any]) -> None:
    said = counted(messages.lines, "message", "messages")
    known = counted(memories.stored, "memory", "memories")
    turns = counted(manifest["counts"]["folders"], "turn", "turns")
    _print(
        f"Imported {said} ({messages.new:,} new, {messages.changed:,} changed, {messages.known:,} known) and "
        f"{known} of {manifest['user']}. Documents of {turns} stay in the zip."
    )
    bad = [f"messages, line {one.line}: {one.reason}" for one in messages.bad]
    bad += [f"memories, {one}" for one in memories.bad]
    for reason in bad[:_SHOWN]:
        errors.print(harmless(reason), markup=False, highlight=False, soft_wrap=True)
    if len(bad) > _SHOWN:
        errors.print(f"... and {len(bad) - _SHOWN:,} more.", markup=False, highlight=False)


def _print(text: str) -> None:
    console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)
