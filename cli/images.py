"""Images of `pandora ask --image`: each is uploaded first, and the turn names it."""

import asyncio
import os
import re
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

import aiohttp

from cli.ask import Asked
from cli.client import Gateway, GatewayError
from cli.failure import CommandFailed
from cli.terminal import harmless
from shared.events import MOST_IMAGES

_DELETE_SECONDS = 3.0
_ADDRESS = re.compile(r"^(https?|ftp):/+", re.IGNORECASE)
_HINTS = {413: " Scale it down, or raise FILE_LIMIT_BYTES."}


async def add_images(gateway: Gateway, asked: Asked, paths: Sequence[Path]) -> None:
    """The turn has all of them, or is not asked and none is kept. Raises CommandFailed."""
    if len(paths) > MOST_IMAGES:
        raise CommandFailed(
            f"{len(paths)} images are too many: at most {MOST_IMAGES} go with one turn. "
            "Ask about the others in a next one, with --session."
        )
    asked.is_uploading = True
    asked.name_images(await _upload_all(gateway, paths))
    asked.is_uploading = False


async def _upload_all(gateway: Gateway, paths: Sequence[Path]) -> list[str]:
    """Their ids. What cannot be read here is said before anything is sent."""
    file_ids: list[str] = []
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(path)) for path in paths]
        try:
            for path, file in zip(paths, files, strict=True):
                file_ids.append(await _upload(gateway, path, file))
        except BaseException:  # Ctrl-C as well.
            await _delete(gateway, file_ids)
            raise
    return file_ids


def _opened(path: Path) -> IO[bytes]:
    shown = harmless(str(path))
    try:
        if path.is_dir():
            raise CommandFailed(f"{shown} is a folder. Name its images one by one, each with --image.")
        # By its number: aiohttp looks at the name of an open file, and stumbles over one that is not UTF-8.
        file = os.fdopen(os.open(path, os.O_RDONLY), "rb")
    except FileNotFoundError as error:
        if _ADDRESS.match(shown):
            address = _ADDRESS.sub(r"\1://", shown)  # A path has lost a slash.
            raise CommandFailed(
                f"{address} is an address, and these are not fetched. Download it first, and name the file."
            ) from error
        raise CommandFailed(f"There is no file {shown}. Check --image.") from error
    except OSError as error:
        raise CommandFailed(
            f"{shown} cannot be read: {error.strerror or error}. Check who may read it."
        ) from error
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and not found.st_size:
        file.close()
        raise CommandFailed(f"{shown} is empty. Check --image.")
    return file


async def _upload(gateway: Gateway, path: Path, file: IO[bytes]) -> str:
    form = aiohttp.FormData(quote_fields=False)
    name = os.fsencode(path.name).decode(errors="replace")
    form.add_field("file", file, filename=name, content_type="application/octet-stream")
    try:
        # What is far too large is refused before it is sent: a refusal meanwhile might get lost.
        return str((await gateway.call("POST", "/v1/files", data=form, expect100=True))["id"])
    except GatewayError as error:
        if error.status is None:
            raise
        hint = _HINTS.get(error.status, "")
        raise GatewayError(f"{harmless(str(path))}: {error}{hint}", error.status) from error


async def _delete(gateway: Gateway, file_ids: Sequence[str]) -> None:
    """As far as it can be done soon; a file that no turn names does no harm."""
    with suppress(CommandFailed, TimeoutError):
        async with asyncio.timeout(_DELETE_SECONDS):
            for file_id in file_ids:
                await gateway.call("DELETE", f"/v1/files/{file_id}")
