"""Finds title, text and date in HTML pages, by trafilatura."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import msgspec

from services.orchestrator.web.decoding import Form
from shared.process.threads import in_daemon_thread

_MOST_THREADS: Final = 2


class Text(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    text: str = ""
    published_at: datetime | None = None


class TextReader:
    """Reads a few pages at a time, in threads of its own. A thread that hangs cannot be stopped, and is
    left."""

    def __init__(self, *, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(_MOST_THREADS)

    async def read(self, source: str, form: Form, url: str) -> Text:
        """Raises TimeoutError, also where pages that hang take all threads."""
        if form == "plain":
            return Text(text=source.strip())
        async with asyncio.timeout(self._seconds):
            await self._free.acquire()
            return await in_daemon_thread(
                lambda: text_of_html(source, url), name="text of a page", on_end=self._free.release
            )


def text_of_html(source: str, url: str) -> Text:
    """The text is without menus, banners and the like."""
    # The import takes half a second, and few processes need it.
    from trafilatura import bare_extraction, html2txt

    document = bare_extraction(source, url=url, with_metadata=True, include_comments=False)
    if document is None or isinstance(document, dict):
        return Text(text=html2txt(source).strip())
    return Text(
        title=" ".join((document.title or "").split())[:300],
        text=(document.text or "").strip() or html2txt(source).strip(),
        published_at=_day(document.date),
    )


def _day(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
