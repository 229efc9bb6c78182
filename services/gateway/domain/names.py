"""Names of files, as people and models may be shown them."""

from typing import Final

ENDINGS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
_MOST = 255


def as_file_name(sent: str) -> str:
    """Without its folders, and without what cannot be seen: line ends, or marks that turn the direction."""
    name = sent.replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, name)).strip()[:_MOST] or "image"
