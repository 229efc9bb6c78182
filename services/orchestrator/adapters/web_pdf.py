"""The text of a PDF, by pypdf, in a process of its own: what takes too long or too much ends with it."""

import asyncio
import os
import resource
import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from pypdf import PdfReader

Fault = Literal["", "locked", "no text", "broken"]
PDF_FAULTS: Final[dict[Fault, tuple[str, str]]] = {
    "locked": ("it is a PDF that wants a password; look for another copy", "locked PDF"),
    "no text": ("it is a PDF of pictures without text, such as a scan; look for another copy", "no text"),
    "broken": ("it is a PDF that cannot be read; it may be broken. Look for another copy", "broken PDF"),
}
"""What to say of it, and the same in a few words."""
_MOST_PAGES: Final = 100
_MOST_CHARACTERS: Final = 100_000
_MOST_MEMORY_BYTES: Final = 1 << 30
_MOST_PROCESSOR_SECONDS: Final = 60
"""Where nobody is left to end it."""
_MOST_AT_ONCE: Final = 2
_FIRST_YEAR: Final = 1993
"""There was no PDF before."""
_KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LANG")


class PdfText(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    text: str = ""
    made_at: datetime | None = None
    """When it was made, by its own word."""
    fault: Fault = ""
    """Why it has no text: it wants a password, it holds pictures alone, it is none."""


class PdfTexts:
    """Reads a few at a time."""

    def __init__(self, *, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(_MOST_AT_ONCE)

    async def read(self, body: bytes) -> PdfText:
        """Raises TimeoutError."""
        async with asyncio.timeout(self._seconds), self._free:
            said = await _said_of(body)
        try:
            return msgspec.json.decode(said, type=PdfText)
        except msgspec.DecodeError:  # It took more memory than it may, or worse.
            return PdfText(fault="broken")


async def _said_of(body: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(),
    )
    try:
        said, _ = await process.communicate(body)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said


def environment() -> dict[str, str]:
    """What reads files of strangers gets no secrets."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}


def text_of_pdf(body: bytes, now: datetime) -> PdfText:
    """The text of its first pages, with a line that says where it was cut; else what is wrong with it."""
    from pypdf import PasswordType, PdfReader

    try:
        reader = PdfReader(BytesIO(body))
        # Many are locked with the empty password, against printing and the like.
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            return PdfText(fault="locked")
        text = _text_of(reader)
    except Exception:  # What pypdf raises of what strangers send is no closed set.
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
    """Without half characters, which cannot be sent."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _title_of(reader: "PdfReader") -> str:
    try:
        about = reader.metadata
        return _plain(" ".join(((about and about.title) or "").split())[:300])
    except Exception:
        return ""


def _made_at(reader: "PdfReader", now: datetime) -> datetime | None:
    """None where it does not say, or its clock was wrong."""
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
