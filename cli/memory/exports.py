"""`pandora export`: a zip of all that is held of a user, and what such a zip says of itself."""

import asyncio
import os
import zipfile
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Any
from urllib.parse import quote

import msgspec
from rich.filesize import decimal

from cli.client.gateway import OF_INDEXER, OF_ORCHESTRATOR, own_gateway, silent_for
from cli.terminal.failure import CommandFailed
from cli.terminal.output import counted, print_text
from cli.terminal.progress import spinner

MANIFEST = "manifest.json"
_SLOW = silent_for(300.0)


def write_export(file: Path, user: str | None) -> None:
    """Writes the zip, and prints what is in it. Raises CommandFailed; then `file` is as it was."""
    manifest = _export(file, user)
    print_text(f"Wrote {file} ({decimal(file.stat().st_size)}): {contents_of(manifest)}.")


def contents_of(manifest: dict[str, Any]) -> str:
    counts = manifest["counts"]
    held = ", ".join(
        counted(counts[name], one, many)
        for name, one, many in (
            ("messages", "message", "messages"),
            ("memories", "memory", "memories"),
            ("files", "image", "images"),
            ("documents", "document", "documents"),
        )
    )
    return f"{held} of {counted(counts['folders'], 'turn', 'turns')} of {manifest['user']}"


def _export(file: Path, user: str | None) -> dict[str, Any]:
    """Writes to another name, and gives the file its own when it is whole."""
    try:
        descriptor, name = mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from error
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            asyncio.run(_download(opened, user))
            opened.flush()
            os.fsync(opened.fileno())
        manifest = read_manifest(unfinished)
        unfinished.replace(file)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


async def _download(file: IO[bytes], user: str | None) -> None:
    path = f"/v1/users/{quote(user, safe='') if user else 'me'}/export"
    with spinner("Exporting") as say:
        async with (
            own_gateway(_SLOW, needs=[OF_ORCHESTRATOR, OF_INDEXER]) as gateway,
            gateway.open("GET", path) as response,
        ):
            async for chunk in response.pieces():
                file.write(chunk)
                say(decimal(file.tell()))


def read_manifest(file: Path) -> dict[str, Any]:
    """Returns what an export says of itself. Raises CommandFailed where it is not a whole one."""
    try:
        with zipfile.ZipFile(file) as opened:
            return msgspec.json.decode(opened.read(MANIFEST), type=dict[str, Any])
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError) as error:
        raise CommandFailed(f"{file} is not a whole export: {error}. Export again.") from error
