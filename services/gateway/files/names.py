"""Names of files, as people and models are shown them."""

from typing import Final

ENDINGS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
_MOST = 255


def as_file_name(sent: str) -> str:
    """Removes folders and invisible characters: line ends, or marks that turn the direction of writing."""
    name = sent.replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, name)).strip()[:_MOST] or "image"
