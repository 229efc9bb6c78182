"""Reads uploaded images with Pillow, and makes the small copies that models are given."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from services.orchestrator.images.ports import Files, ImageInfo, Picture
from shared.contract.errors import Refused
from shared.contract.requests import PIECE_BYTES

MEDIA_TYPES: Final = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG of several pictures, as some phones take them
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
MOST_PIXELS: Final = 50_000_000
"""Decoded, four bytes each: 200 MB."""
LONGER_SIDE: Final = 1568
"""In pixels. Vision models work on about this size, and scale larger images down themselves."""
_PICTURE_BYTES = 500_000
"""In base64 a third more: below 700 KB. So it fits into a NATS message of 1 MB together with its prompt."""
_QUALITIES = (90, 75, 50)
_SHRINK = 0.75
_ORIENTATION, _LYING_DOWN = 0x0112, (5, 6, 7, 8)
"""The EXIF tag, and its values that swap width and height."""
_WHAT_WORKS = "send a whole PNG, JPEG, WebP or GIF"


class PillowImages:
    """Images over the files that users have uploaded."""

    def __init__(self, files: Files) -> None:
        self._files = files
        # One at a time: an image of the largest size may take 450 MB.
        self._thread = ThreadPoolExecutor(1, "pictures")

    async def picture(self, user: str, file_id: str) -> Picture:
        info = await self._files.about(user, file_id)
        if info is None:
            raise Refused(404, f"there is no file {file_id}; upload it with POST /v1/files", "file")
        data = bytearray()
        while len(data) < info.bytes:
            piece = await self._files.read(user, file_id, len(data), PIECE_BYTES)
            if not piece:
                raise Refused(404, f"file {file_id} was deleted; upload it again", "file")
            data += piece
        url = await asyncio.get_running_loop().run_in_executor(self._thread, picture_of, bytes(data))
        return Picture(name=info.name, data_url=url)


def read_image(data: bytes) -> ImageInfo:
    """Decodes the first frame completely. Raises Refused (415) for bytes that are no usable image."""
    image = _opened(data)
    _decode(image)
    width, height = reversed(image.size) if _orientation(image) in _LYING_DOWN else image.size
    return ImageInfo(media_type=MEDIA_TYPES[image.format or ""], width=width, height=height)


def picture_of(data: bytes) -> str:
    """Returns the first frame as a data: URL below 700 KB. Raises Refused (415)."""
    image = _opened(data)
    lossless = image.format in ("PNG", "GIF")
    image.draft("RGB", (LONGER_SIDE, LONGER_SIDE))  # A large JPEG is decoded smaller, and much faster.
    _decode(image)
    small = _small(image)
    if lossless:
        packed = _packed(small, "PNG", optimize=False)
        if len(packed) <= _PICTURE_BYTES:
            return _url("image/png", packed)
    while True:
        for quality in _QUALITIES:
            packed = _packed(small, "JPEG", quality=quality)
            if len(packed) <= _PICTURE_BYTES:
                return _url("image/jpeg", packed)
        small = small.resize([max(1, round(side * _SHRINK)) for side in small.size])


def _opened(data: bytes) -> Image.Image:
    """Reads only the header."""
    try:
        image = Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("far too many") from error
    except Exception as error:  # Decoders raise any kind of error for bytes that are wrong.
        raise Refused(415, f"the file is no image that can be read here; {_WHAT_WORKS}", "file") from error
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(f"{image.width} x {image.height}")
    return image


def _too_large(pixels: str) -> Refused:
    most = MOST_PIXELS // 1_000_000
    return Refused(415, f"the image has {pixels} pixels; scale it down to {most} megapixels or fewer", "file")


def _decode(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:  # Pillow has no closed set of errors for damaged images.
        raise Refused(415, f"the image is cut off or damaged; {_WHAT_WORKS}", "file") from error


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # Damaged EXIF data does not make the image unreadable.
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _small(image: Image.Image) -> Image.Image:
    """A new RGB image without metadata: upright, at most LONGER_SIDE."""
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    plain = Image.new("RGB", image.size, "white")
    plain.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return plain


def _packed(image: Image.Image, form: str, **more: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **more)
    return buffer.getvalue()


def _url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
