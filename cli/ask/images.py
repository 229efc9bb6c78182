"""Images of `pandora ask --image`: they are uploaded first, and the turn names them."""

import asyncio
import os
import re
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import IO
from uuid import uuid4

from cli.ask.turn import Asked
from cli.client.gateway import Gateway, GatewayError
from cli.client.http import Body
from cli.terminal.failure import CommandFailed
from cli.terminal.output import harmless
from shared.contract.events import MOST_IMAGES

_DELETE_SECONDS = 3.0
_PIECE_BYTES = 64 * 1024
_ADDRESS = re.compile(r"^(https?|ftp):/+", re.IGNORECASE)
_HINTS = {413: " Scale it down, or raise FILE_LIMIT_BYTES."}


async def add_images(gateway: Gateway, asked: Asked, paths: Sequence[Path]) -> None:
    """Adds all of them to the turn, or keeps none. Raises CommandFailed."""
    if len(paths) > MOST_IMAGES:
        raise CommandFailed(
            f"{len(paths)} images are too many: at most {MOST_IMAGES} go with one turn. "
            "Ask about the others in a next turn, with --session."
        )
    asked.is_uploading = True
    asked.name_images(await _upload_all(gateway, paths))
    asked.is_uploading = False


async def _upload_all(gateway: Gateway, paths: Sequence[Path]) -> list[str]:
    """Returns their ids. All files are opened before the first one is sent."""
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
        file = path.open("rb")
    except FileNotFoundError as error:
        if _ADDRESS.match(shown):
            address = _ADDRESS.sub(r"\1://", shown)  # pathlib has removed a slash
            raise CommandFailed(
                f"{address} is an address. Download the image first, and name the file."
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
    try:
        return str((await gateway.call("POST", "/v1/files", body=_form(path.name, file)))["id"])
    except GatewayError as error:
        if error.status is None:
            raise
        hint = _HINTS.get(error.status, "")
        raise GatewayError(f"{harmless(str(path))}: {error}{hint}", error.status) from error


def _form(name: str, file: IO[bytes]) -> Body:
    """The file as a form with one field. A pipe has no size."""
    boundary = uuid4().hex.encode()
    shown = os.fsencode(name).decode(errors="replace").encode()
    quoted = re.sub(rb'(["\\])', rb"\\\1", shown).replace(b"\r", b" ").replace(b"\n", b" ")
    head = (
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" % (boundary, quoted)
    )
    tail = b"\r\n--%b--\r\n" % boundary
    found = os.fstat(file.fileno())
    size = len(head) + found.st_size + len(tail) if stat.S_ISREG(found.st_mode) else None
    pieces = chain([head], iter(lambda: file.read(_PIECE_BYTES), b""), [tail])
    # The gateway refuses a far too large image before it is sent. A later refusal could get lost.
    return Body(pieces, size, f"multipart/form-data; boundary={boundary.decode()}", is_large=True)


async def _delete(gateway: Gateway, file_ids: Sequence[str]) -> None:
    """Deletes what it can in a short time. A file that no turn names does no harm."""
    with suppress(CommandFailed, TimeoutError):
        async with asyncio.timeout(_DELETE_SECONDS):
            for file_id in file_ids:
                await gateway.call("DELETE", f"/v1/files/{file_id}")
