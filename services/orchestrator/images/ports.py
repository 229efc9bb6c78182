"""The store of uploaded files, and their images as models get them."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import msgspec

from shared.contract.requests import FileInfo, PutFile


class ImageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the bytes of an upload are."""

    media_type: str
    width: int
    """In pixels, as the upright image has them. So is the height."""
    height: int


class Files(Protocol):
    """The files of all users. Every method raises Transient where the store does not answer."""

    async def put(self, piece: PutFile) -> FileInfo | None:
        """The file, where it is complete now. Raises Refused: 409, 415 and 422 as PutFile says."""
        ...

    async def about(self, user: str, file_id: str) -> FileInfo | None:
        """None where there is no such file, or only a part of it."""
        ...

    async def read(self, user: str, file_id: str, offset: int, size: int) -> bytes | None:
        """At most `size` bytes; None where there is no such file."""
        ...

    async def ids(self, user: str) -> list[str]:
        """The ids of a user's complete files, in order."""
        ...

    async def begun_until(self, user: str, moment: datetime) -> list[str]:
        """The ids of a user's files, complete or not, whose first piece came until then."""
        ...

    async def remove(self, user: str, file_ids: Collection[str]) -> int:
        """Deletes them for good, incomplete ones too. Returns how many complete ones there were."""
        ...


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The copy of an image for a model: its first frame, upright and small, without metadata."""

    name: str
    """As the user named the upload."""
    data_url: str
    """`data:image/jpeg;base64,...` or png, below 700 KB."""


class Images(Protocol):
    """The images that users have uploaded."""

    async def picture(self, user: str, file_id: str) -> Picture:
        """Raises Refused: 404 where there is no such file, 415 where it is no usable image. Raises
        Transient."""
        ...
