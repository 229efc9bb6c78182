"""The HTTP API of files: images to talk about. Its shapes are those of OpenAI's, with a little more."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import Provide
from litestar.exceptions import ClientException, InternalServerException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import ControllerRouterHandler
from uuid_utils import uuid7

from services.gateway.domain.names import as_file_name
from services.gateway.domain.views import ProblemDetails
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS
from services.gateway.uploads import download, upload
from shared.errors import Refused
from shared.events import FileId
from shared.replies import DeleteFile, FileInfo, GetFile, ListFiles

_FORM_BYTES = 64 * 1024
"""What a form may have beside the file."""
_HOW = "send multipart/form-data with one part `file`: curl -F file=@bee.png"
_NO_IMAGE = {
    415: ResponseSpec(
        ProblemDetails,
        description="No PNG, JPEG, WebP or GIF that can be looked at",
        generate_examples=False,
        media_type="application/problem+json",
    )
}
_BYTES = {
    HTTP_200_OK: ResponseSpec(
        bytes, description="The file as it was sent", generate_examples=False, media_type="image/*"
    )
}


class FileView(msgspec.Struct, kw_only=True, frozen=True):
    """An uploaded image."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    """Seconds of the epoch."""
    filename: str
    purpose: Literal["vision"] = "vision"
    media_type: str
    """By its content."""
    width: int
    """In pixels, upright, as is the height."""
    height: int


class FileList(msgspec.Struct, kw_only=True, frozen=True):
    object: Literal["list"] = "list"
    data: list[FileView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFile(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


@post(
    "/files",
    status_code=HTTP_200_OK,
    responses=REFUSALS | _NO_IMAGE,
    summary="Upload an image",
    description="The body is multipart/form-data with a part `file`: a PNG, JPEG, WebP or GIF. "
    "A part `purpose` may be there, and changes nothing.",
)
async def post_file(
    request: Request[Any, Any, Any], gateway: Gateway, user: str, file_limit: int
) -> FileView:
    name, data = await _file_in(request, file_limit)
    return _view(await upload(gateway.ask, user, f"file-{uuid7()}", name, data))


@get("/files", responses=REFUSALS, summary="A user's files, by id")
async def get_files(
    gateway: Gateway,
    user: str,
    after: Annotated[str, Parameter(description="the id of the last one before", max_length=64)] = "",
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> FileList:
    reply = await gateway.ask(ListFiles(user=user, after=after, limit=limit))
    ids = [info.file_id for info in reply.files]
    return FileList(
        data=[_view(info) for info in reply.files],
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        has_more=reply.more,
    )


@get("/files/{file_id:str}", responses=REFUSALS, summary="One of them")
async def get_file(file_id: str, gateway: Gateway, user: str) -> FileView:
    return _view(await gateway.ask(GetFile(user=user, file_id=_checked_id(file_id))))


@get("/files/{file_id:str}/content", responses=_BYTES | REFUSALS, summary="Its bytes, as they were sent")
async def get_content(file_id: str, gateway: Gateway, user: str) -> Stream:
    info = await gateway.ask(GetFile(user=user, file_id=_checked_id(file_id)))
    parts = download(gateway.ask, user, file_id)
    first = await anext(parts)  # What must be refused is refused before anything is sent.

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    return Stream(
        whole(),
        media_type=info.media_type,
        headers={
            "content-length": str(info.bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(info.name, safe='')}",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        },
    )


@delete(
    "/files/{file_id:str}",
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Delete a file",
    description="What turns say of it stays until they are forgotten; their files go with them.",
)
async def delete_file(file_id: str, gateway: Gateway, user: str) -> DeletedFile:
    if not (await gateway.ask(DeleteFile(user=user, file_id=_checked_id(file_id)))).deleted:
        raise _no_such_file(file_id)
    return DeletedFile(id=file_id)


async def _file_in(request: Request[Any, Any, Any], limit: int) -> tuple[str, bytes]:
    """The name and the bytes. Raises Refused: 413, or 400 and 422 with what to send."""
    if request.content_type[0] != "multipart/form-data":
        raise Refused(400, f"the body is no form; {_HOW}", "Content-Type")
    try:
        await request.body()  # All of it, or a refusal, before any part of it is kept.
        parts = (await request.form()).getall("file", [])
    except ClientException as error:
        if error.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
            raise Refused(
                413, f"the file has more than the {limit} bytes that are taken (FILE_LIMIT_BYTES)", "file"
            ) from error
        raise Refused(400, f"the form cannot be read: {error.detail}; {_HOW}") from error
    except InternalServerException as error:  # What Litestar makes of a sender that has left.
        raise Refused(400, "the body broke off; send all of it again") from error
    except (UnicodeDecodeError, LookupError) as error:  # A part without a file name is read as text.
        raise Refused(400, f"a part is no text and has no file name; {_HOW}", "file") from error
    if len(parts) != 1 or not isinstance(parts[0], UploadFile):
        raise Refused(
            422, f"the form has {len(parts)} parts `file`, and needs one with a file; {_HOW}", "file"
        )
    data = await parts[0].read()
    await parts[0].close()
    if not data:
        raise Refused(422, f"the file is empty; {_HOW}", "file")
    return as_file_name(parts[0].filename), data


def _checked_id(file_id: str) -> str:
    try:
        return msgspec.convert(file_id, FileId)
    except msgspec.ValidationError as error:
        raise _no_such_file(file_id) from error


def _no_such_file(file_id: str) -> Refused:
    return Refused(
        404, f"there is no file {file_id[:64]!r}; its id is what POST /v1/files answered", "file_id"
    )


def _view(info: FileInfo) -> FileView:
    return FileView(
        id=info.file_id,
        bytes=info.bytes,
        created_at=int(info.created_at.timestamp()),
        filename=info.name,
        media_type=info.media_type,
        width=info.width,
        height=info.height,
    )


def file_routes(limit_bytes: int) -> list[ControllerRouterHandler]:
    """Uploads have a limit of their own."""
    uploads = Router(
        "/",
        route_handlers=[post_file],
        request_max_body_size=limit_bytes + _FORM_BYTES,
        dependencies={"file_limit": Provide(lambda: limit_bytes, sync_to_thread=False)},
    )
    return [uploads, get_files, get_file, get_content, delete_file]
