"""Reads an uploaded file from a form, and stores it."""

from typing import Final

from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException, InternalServerException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from uuid_utils import uuid7

from services.gateway.asking.ports import Ask
from services.gateway.files.names import as_file_name
from services.gateway.files.transfer import upload
from services.gateway.http.parameters import Call
from shared.contract.errors import Refused
from shared.contract.requests import FileInfo

FORM_BYTES: Final = 64 * 1024
"""What a form may have in addition to the file."""
_HOW = "send multipart/form-data with one part `file`: curl -F file=@bee.png"


class Uploads:
    def __init__(self, ask: Ask, *, limit_bytes: int) -> None:
        self._ask = ask
        self._limit = limit_bytes

    async def take(self, request: Call) -> FileInfo:
        """Raises Refused: 400 and 422 with what to send, 413 where it is too large, 415 for no image."""
        name, data = await self._file_in(request)
        return await upload(self._ask, request.user.name, f"file-{uuid7()}", name, data)

    async def _file_in(self, request: Call) -> tuple[str, bytes]:
        parts = await self._parts(request)
        if len(parts) != 1 or not isinstance(parts[0], UploadFile):
            raise Refused(
                422, f"the form has {len(parts)} parts `file`, and needs one with a file; {_HOW}", "file"
            )
        data = await parts[0].read()
        await parts[0].close()
        if not data:
            raise Refused(422, f"the file is empty; {_HOW}", "file")
        return as_file_name(parts[0].filename), data

    async def _parts(self, request: Call) -> list[UploadFile | str]:
        """The parts named `file`."""
        if request.content_type[0] != "multipart/form-data":
            raise Refused(400, f"the body is no form; {_HOW}", "Content-Type")
        try:
            await request.body()  # All of it, or a refusal, before any part of it is kept.
            return (await request.form()).getall("file", [])
        except ClientException as error:
            if error.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
                raise Refused(
                    413,
                    f"the file has more than the {self._limit} bytes that are taken (FILE_LIMIT_BYTES)",
                    "file",
                ) from error
            raise Refused(400, f"the form cannot be read: {error.detail}; {_HOW}") from error
        except InternalServerException as error:  # Litestar's error where the sender leaves.
            raise Refused(400, "the body broke off; send all of it again") from error
        except (UnicodeDecodeError, LookupError) as error:  # A part without a file name is read as text.
            raise Refused(400, f"a part is no text and has no file name; {_HOW}", "file") from error
