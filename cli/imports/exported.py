"""`pandora import export`: messages and memories of a zip that `pandora export` wrote."""

import asyncio
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from cli.client.gateway import OF_INDEXER, Gateway, own_gateway, text_body
from cli.imports.sending import NDJSON, SLOW, Answer, BadLine, Importer, send_all
from cli.memory.exports import read_manifest
from cli.terminal.failure import CommandFailed
from cli.terminal.output import counted, print_error, print_text
from cli.terminal.progress import spinner

_SHOWN = 50
_KNOWN_FORMAT = 1
_MEMORY_LINES = 20


class Memories(msgspec.Struct):
    """How many memories are stored, and which lines are not."""

    stored: int = 0
    bad: list[str] = []


class _MemoriesTaken(msgspec.Struct):
    stored: int
    bad: list[BadLine]


def import_export(file: Path, user: str | None) -> bool:
    """Returns whether every line was taken. Raises CommandFailed."""
    manifest = read_manifest(file)
    if manifest.get("format") != _KNOWN_FORMAT:
        raise CommandFailed(
            f"{file} has format {manifest.get('format')}. This version reads {_KNOWN_FORMAT}. "
            "Import it with the version of Pandora that wrote it, or a later one."
        )
    messages, memories = Answer(), Memories()
    try:
        with zipfile.ZipFile(file) as opened:
            asyncio.run(_import(opened, user, manifest["counts"], messages, memories))
    except zipfile.BadZipFile as error:
        raise CommandFailed(
            f"{file} is damaged: {error}. Nothing after that is imported. Export again."
        ) from error
    except KeyboardInterrupt:
        raise CommandFailed(
            "\nLeft. The same command goes on from there: nothing is stored twice.", 130
        ) from None
    _show(messages, memories, manifest)
    return not (messages.bad_lines or memories.bad)


async def _import(
    opened: zipfile.ZipFile, user: str | None, counts: dict[str, int], messages: Answer, memories: Memories
) -> None:
    async with own_gateway(SLOW, needs=[OF_INDEXER]) as gateway:
        with spinner("Importing") as say:
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
    """Removes the user of each line. The lines become those of the key's user, or of --user."""
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
        body = text_body(b"".join(chunk), NDJSON)
        taken = await gateway.call("POST", f"/v1/imports/memories?{urlencode(query)}", body=body)
        answer = msgspec.convert(taken, _MemoriesTaken)
        memories.stored += answer.stored
        memories.bad += [f"line {sent + bad.line}: {bad.reason}" for bad in answer.bad]
        sent += len(chunk)
        on_sent(sent)


def batched(lines: Iterable[bytes], count: int) -> Iterator[list[bytes]]:
    rest = iter(lines)
    while chunk := list(islice(rest, count)):
        yield chunk


def _show(messages: Answer, memories: Memories, manifest: dict[str, Any]) -> None:
    said = counted(messages.lines, "message", "messages")
    known = counted(memories.stored, "memory", "memories")
    turns = counted(manifest["counts"]["folders"], "turn", "turns")
    print_text(
        f"Imported {said} ({messages.new:,} new, {messages.changed:,} changed, {messages.known:,} known) and "
        f"{known} of {manifest['user']}. Documents of {turns} stay in the zip."
    )
    bad = [f"messages, line {one.line}: {one.reason}" for one in messages.bad]
    bad += [f"memories, {one}" for one in memories.bad]
    for reason in bad[:_SHOWN]:
        print_error(reason)
    if len(bad) > _SHOWN:
        print_error(f"... and {len(bad) - _SHOWN:,} more.")
