"""Images for tests, made on the spot."""

from io import BytesIO
from random import Random

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from shared.contract.requests import PIECE_BYTES, PutFile


def image_bytes(form: str = "PNG", size: tuple[int, int] = (40, 30), **more: object) -> bytes:
    """A red one."""
    buffer = BytesIO()
    Image.new("RGB", size, "red").save(buffer, form, **more)
    return buffer.getvalue()


def png_with(text: str) -> bytes:
    """With these words in its metadata."""
    chunk = PngInfo()
    chunk.add_text("Comment", text)
    return image_bytes(pnginfo=chunk)


def noise(form: str, size: tuple[int, int], **more: object) -> bytes:
    """What no encoder makes small."""
    buffer = BytesIO()
    image = Image.frombytes("RGB", size, Random(7).randbytes(size[0] * size[1] * 3))  # noqa: S311 - the same each time
    image.save(buffer, form, **more)
    return buffer.getvalue()


def pieces(
    data: bytes,
    *,
    user: str = "alice",
    file_id: str = "file-1",
    name: str = "bee.png",
    step: int = PIECE_BYTES,
) -> list[PutFile]:
    return [
        PutFile(user=user, file_id=file_id, name=name, size=len(data), offset=at, data=data[at : at + step])
        for at in range(0, len(data), step)
    ]
