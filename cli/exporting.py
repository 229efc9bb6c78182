"""`pandora export`, `pandora archive`: takes along all that is held of a user; compresses old turns."""

import asyncio
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Annotated, Any
from urllib.parse import quote

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.client import own_gateway, silent_for
from cli.failure import CommandFailed

MANIFEST = "manifest.json"
_CHUNK_BYTES = 256 * 1024
SLOW = silent_for(300.0)
console = Console()
errors = Console(stderr=True)


def export(
    file: Annotated[Path, typer.Argument(help="The zip to write.")],
    user: Annotated[str | None, typer.Option(help="Whose; for admins. Left out: your own.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write all that is held of you, messages, memories, images and the documents of turns, into a zip."""
    if file.exists() and not force:
        raise CommandFailed(f"{file} is there already. Name another file, or write over it with --force.")
    try:
        manifest = _export(file, user)
    except KeyboardInterrupt:
        errors.print(f"\nLeft; {file} is not written.", markup=False, highlight=False)
        raise typer.Exit(130) from None
    _print(f"Wrote {file} ({size_of(file.stat().st_size)}): {contents_of(manifest)}.")


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


def counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _export(file: Path, user: str | None) -> dict[str, Any]:
    """Under its name it is there only when it is whole."""
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
    with said("Exporting") as say:
        async with own_gateway(SLOW) as gateway, gateway.open("GET", path) as response:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                file.write(chunk)
                say(size_of(file.tell()))


def read_manifest(file: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as opened:
            return msgspec.json.decode(opened.read(MANIFEST), type=dict[str, Any])
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError) as error:
        raise CommandFailed(f"{file} is no whole export: {error}. Export again.") from error


def archive(
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Days without use; left out: ARCHIVE_AFTER_DAYS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
) -> None:
    """Compress the documents of turns that nobody has used for long; they are read as before. For admins."""
    query = {"dry_run": str(dry_run).lower()}
    if older_than is not None:
        query["older_than_days"] = str(older_than)
    turns, before, after = asyncio.run(_archive(query))
    if dry_run:
        _print(f"{turns:,} turns would be archived; their documents have {size_of(before)}.")
    elif not turns:
        _print("No turns are that old.")
    else:
        _print(
            f"Archived {turns:,} turns: {size_of(before)} before, {size_of(after)} now, "
            f"{size_of(before - after)} saved."
        )


async def _archive(query: dict[str, str]) -> tuple[int, int, int]:
    turns = before = after = 0
    async with own_gateway(SLOW) as gateway:
        with said("Archiving") as say:
            while True:
                reply = await gateway.call("POST", "/v1/admin/archive", params=query)
                turns, before, after = (
                    turns + reply["turns"],
                    before + reply["bytes_before"],
                    after + reply["bytes_after"],
                )
                say(f"{turns:,} turns, {reply['left']:,} to go")
                if not reply["left"]:
                    return turns, before, after


@contextmanager
def said(what: str) -> Iterator[Callable[[str], None]]:
    """How far it is, on the terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what)
        yield lambda far: progress.update(task, description=f"{what}: {far}")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def size_of(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
