"""Which answers of web servers have text, and how their bytes become text.

The character set comes from the server, or from the page, or is UTF-8, or is windows-1252, the web's own
default. It is not guessed from the content: charset-normalizer decoded three of six short Western texts
wrongly, where windows-1252 is right for all six.
"""

import codecs
import re
from typing import Final, Literal

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
"""Beginnings of Python's names. Python has further codecs, of which some take very long."""
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{1,40})", re.IGNORECASE)
_HEAD_BYTES: Final = 2048


def form_of(content_type: str) -> Form | None:
    """None for content without text."""
    if content_type.endswith(("+json", "+xml")):
        return _FORMS.get(content_type, "plain")
    return _FORMS.get(content_type)


def decoded(body: bytes, charset: str | None, form: Form) -> str:
    """`charset` is what the server says."""
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
