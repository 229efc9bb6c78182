"""The text of a PDF, by pypdf. It runs in a process of its own, which can be limited in time and memory."""

import asyncio
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from shared.process.programs import run_program

if TYPE_CHECKING:
    from pypdf import PdfReader

Fault = Literal["", "locked", "no text", "broken"]
PDF_FAULTS: Final[dict[Fault, tuple[str, str]]] = {
    "locked": ("it is a PDF that wants a password; look for another copy", "locked PDF"),
    "no text": ("it is a PDF of pictures without text, such as a scan; look for another copy", "no text"),
    "broken": ("it is a PDF that cannot be read; it may be broken. Look for another copy", "broken PDF"),
}
"""By fault: the message for the model, and a few words for the log of sources."""
_MOST_PAGES: Final = 100
_MOST_CHARACTERS: Final = 100_000
_MOST_MEMORY_BYTES: Final = 1 << 30
_MOST_PROCESSOR_SECONDS: Final = 60
"""A limit for the case that the parent process has died."""
_MOST_AT_ONCE: Final = 2
_FIRST_YEAR: Final = 1993
"""The year of the first PDF."""
_KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LANG")


class PdfText(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    text: str = ""
    made_at: datetime | None = None
    """By the file's own metadata."""
    fault: Fault = ""
    """Why there is no text: a password, only pictures, or no valid PDF. Empty: there is text."""


class PdfTexts:
    """Reads a few files at a time."""

    def __init__(self, *, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(_MOST_AT_ONCE)

    async def read(self, body: bytes) -> PdfText:
        """Raises TimeoutError."""
        async with asyncio.timeout(self._seconds), self._free:
            _, said = await run_program(
                *(sys.executable, "-m", __name__),
                body=body,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=environment(),
            )
        try:
            return msgspec.json.decode(said, type=PdfText)
        except msgspec.DecodeError:  # The process died, for example at its limit of memory.
            return PdfText(fault="broken")


def environment() -> dict[str, str]:
    """Without secrets: the process reads files of strangers."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}


def text_of_pdf(body: bytes, now: datetime) -> PdfText:
    """The text of the first pages, with a line where it was cut. Otherwise the fault."""
    from pypdf import PasswordType, PdfReader

    try:
        reader = PdfReader(BytesIO(body))
        # Many files have an empty password, which only forbids printing and the like.
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            return PdfText(fault="locked")
        text = _text_of(reader)
    except Exception:  # pypdf has no closed set of errors for broken files.
        return PdfText(fault="broken")
    if not text:
        return PdfText(fault="no text")
    return PdfText(title=_title_of(reader), text=text, made_at=_made_at(reader, now))


def _text_of(reader: "PdfReader") -> str:
    parts: list[str] = []
    room = _MOST_CHARACTERS
    for page in reader.pages:
        if len(parts) == _MOST_PAGES or room <= 0:
            break
        parts.append(_plain(page.extract_text().strip())[:room])
        room -= len(parts[-1])
    text = "\n\n".join(part for part in parts if part)
    if text and (room <= 0 or len(parts) < len(reader.pages)):
        text += f"\n\n[read until page {len(parts)} of {len(reader.pages)}]"
    return text


def _plain(text: str) -> str:
    """Without surrogates and zeros, which cannot be sent."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _title_of(reader: "PdfReader") -> str:
    try:
        about = reader.metadata
        return _plain(" ".join(((about and about.title) or "").split())[:300])
    except Exception:
        return ""


def _made_at(reader: "PdfReader", now: datetime) -> datetime | None:
    """None where the file does not say it, or says an impossible time."""
    try:
        about = reader.metadata
        said = about and about.creation_date
        at = said and (said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC))
    except Exception:
        return None
    return at if at and at.year >= _FIRST_YEAR and at <= now else None


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_PROCESSOR_SECONDS, _MOST_PROCESSOR_SECONDS))
    read = text_of_pdf(sys.stdin.buffer.read(), datetime.now(UTC))
    sys.stdout.buffer.write(msgspec.json.encode(read))


if __name__ == "__main__":
    main()
