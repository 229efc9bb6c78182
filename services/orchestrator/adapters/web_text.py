"""The text of what was read: of HTML what a person would read of it, by trafilatura."""

import asyncio
import codecs
import contextlib
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

Form = Literal["html", "plain", "pdf"]
_FORMS: Final[dict[str, Form]] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "plain",
    "text/markdown": "plain",
    "text/x-markdown": "plain",
    "application/json": "plain",
    "application/pdf": "pdf",
    "application/xml": "plain",
    "text/xml": "plain",
}
_CODECS: Final = ("utf-8", "utf-16", "iso8859", "cp125", "koi8", "shift_jis", "euc_", "gb", "big5", "ascii")
"""By Python's names. It has others, and some of those need very long for little."""
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{1,40})", re.IGNORECASE)
_HEAD_BYTES: Final = 2048
_MOST_THREADS: Final = 2


class Text(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    text: str = ""
    published_at: datetime | None = None


def form_of(content_type: str) -> Form | None:
    """None for what has no text that could be read."""
    if content_type.endswith(("+json", "+xml")):
        return _FORMS.get(content_type, "plain")
    return _FORMS.get(content_type)


def decoded(body: bytes, charset: str | None, form: Form) -> str:
    """By the server's word, by the page's own, as UTF-8, as what is left."""
    if form == "html" and charset is None:
        found = _META_CHARSET.search(body[:_HEAD_BYTES])
        charset = found[1].decode() if found else None
    for name in filter(None, (charset, "utf-8-sig")):
        try:
            if codecs.lookup(name).name.startswith(_CODECS):
                return body.decode(name)
        except (LookupError, UnicodeError):
            continue
    return body.decode("cp1252", "replace")


class TextReader:
    """Reads in threads of its own, a few at a time: one that hangs cannot be stopped, only left behind."""

    def __init__(self, *, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(_MOST_THREADS)

    async def read(self, source: str, form: Form, url: str) -> Text:
        """Raises TimeoutError, also where pages that never end to be read hold all threads."""
        if form == "plain":
            return Text(text=source.strip())
        async with asyncio.timeout(self._seconds):
            return await self._in_thread(lambda: text_of_html(source, url))

    async def _in_thread(self, work: Callable[[], Text]) -> Text:
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Text] = loop.create_future()

        def run() -> None:
            try:
                result: Text | Exception = work()
            except Exception as error:
                result = error
            with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
                loop.call_soon_threadsafe(self._settle, done, result)

        threading.Thread(target=run, daemon=True, name="text of a page").start()
        return await done

    def _settle(self, done: asyncio.Future[Text], result: Text | Exception) -> None:
        self._free.release()
        if done.done():
            return
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)


def text_of_html(source: str, url: str) -> Text:
    """Title, text and day of publication. Its text is what remains without menus, banners and the like."""
    from trafilatura import bare_extraction, html2txt  # It takes half a second, and few processes need it.

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
