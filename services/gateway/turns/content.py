"""What a user says, in parts: texts and images."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from shared.contract.errors import Refused
from shared.contract.events import MOST_IMAGES, FileId

_DATA_URL = re.compile(r"data:image/([a-z0-9.+-]{1,32});base64,", re.IGNORECASE)


class InputText(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="input_text"):
    text: Annotated[str, msgspec.Meta(min_length=1)]


class InputImage(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="input_image"):
    """One of the two."""

    file_id: Annotated[FileId | None, msgspec.Meta(description="as POST /v1/files answered")] = None
    image_url: Annotated[
        str | None, msgspec.Meta(description="the image itself: data:image/png;base64,...")
    ] = None


Content = str | Annotated[list[InputText | InputImage], msgspec.Meta(min_length=1, max_length=64)]


class InlineImage(msgspec.Struct, frozen=True):
    """An image that came with the turn."""

    name: str
    data: bytes


Images = Sequence[str | InlineImage]
"""Ids of files, and images that came with the turn, in the order in which they are shown."""


def text_of(content: Content) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, InputText))


def images_of(content: Content) -> Images:
    """Decodes inline images, so call it once. Raises Refused (422)."""
    if isinstance(content, str):
        return []
    images = [part for part in content if isinstance(part, InputImage)]
    if len(images) > MOST_IMAGES:
        raise _refused(f"there are {len(images)} images; at most {MOST_IMAGES} go with one turn")
    taken = [_image(number, part) for number, part in enumerate(images, 1)]
    if taken and not text_of(content).strip():
        raise _refused("there are images and no words; add a part input_text that says what to do with them")
    return taken


def file_id_of(turn_id: str, number: int) -> str:
    """The id of an inline image. It is the same for the same turn: a file that is put twice is one."""
    return f"file-{turn_id}-{number}"


def _image(number: int, part: InputImage) -> str | InlineImage:
    if part.file_id is not None and part.image_url is None:
        return part.file_id
    if part.file_id is not None or part.image_url is None:
        raise _refused(f"image {number} needs one of file_id and image_url")
    found = _DATA_URL.match(part.image_url)
    if found is None:
        raise _refused(
            f"image {number} is no data:image/...;base64,... URL; other addresses are not fetched: "
            "send the image itself, or upload it with POST /v1/files and name its file_id"
        )
    try:
        data = base64.b64decode(part.image_url[found.end() :], validate=True)
    except binascii.Error as error:
        raise _refused(f"image {number} is not base64: {error}") from error
    if not data:
        raise _refused(f"image {number} is empty")
    return InlineImage(name=f"image_{number}.{found[1].lower()}", data=data)


def _refused(detail: str) -> Refused:
    return Refused(422, detail, "input")
