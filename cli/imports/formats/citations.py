"""Marks that ChatGPT's exports leave in a text: what they cite goes, the words stay.

A mark is `U+E200 kind U+E202 argument U+E202 argument U+E201`. Arguments are references like `turn0search3`,
lists in JSON like `["organization", "Carris", 0]`, addresses, and words.
"""

import json
import re

_MARK = re.compile("[ \t]*\ue200([^\ue200\ue201]*)(?:\ue201|$)")
_REFERENCE = re.compile(r"(?:file)?(?:nav)?(?:cite)?(?:[\W_]*turn\d+[a-z_]+\d+)+", re.IGNORECASE)
_LINES = re.compile(r"L?\d+(?:\s*-\s*L?\d+)?")
_URL = re.compile(r"https?://\S*")
_OLDER = re.compile(
    r"[ \t]*(?:【[^【】]*†[^【】]*】|【oaicite:\d+】|:?contentReference\[oaicite:\d+\](?:\{index=\d+\})?)"
)
_BARE = re.compile(r"[ \t]*(?<!\w)(?:(?:file|nav)?cite|navlist|i|video)?(?:turn\d+[a-z_]+\d+)+(?!\w)")
"""References whose marks were lost on the way."""
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")


def without_marks(text: str) -> str:
    if not _PRIVATE.search(text) and "turn" not in text and "oaicite" not in text and "†" not in text:
        return text
    words = _MARK.sub(_words_of, text)
    return _BARE.sub("", _OLDER.sub("", _PRIVATE.sub("", words))).strip()


def _words_of(mark: re.Match[str]) -> str:
    _, *arguments = mark[1].split("\ue202")
    words = " ".join(filter(None, map(_word_of, arguments)))
    blank = mark[0][: len(mark[0]) - len(mark[0].lstrip(" \t"))]
    return f"{blank}{words}" if words else ""


def _word_of(argument: str) -> str:
    plain = argument.strip()
    if plain.startswith(("[", "{")):
        return _name_in(plain)
    if any(pattern.fullmatch(plain) for pattern in (_REFERENCE, _LINES, _URL)):
        return ""
    return plain


def _name_in(listed: str) -> str:
    """Returns the name of `["organization", "Carris", 0]` and `["turn0product1", "Kayak"]`."""
    try:
        found = json.loads(listed)
    except ValueError:
        return ""
    return found[1] if isinstance(found, list) and len(found) > 1 and isinstance(found[1], str) else ""
