"""Files over HTTP: images to talk about. The shapes are those of OpenAI's files, with some fields more."""

from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from litestar import Router, delete, get, post
from litestar.params import Parameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK
from litestar.types import ControllerRouterHandler

from services.gateway.files.transfer import download
from services.gateway.files.uploads import FORM_BYTES, Uploads
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.http.responses import REFUSALS, refusal, sent_as
from services.gateway.http.streaming import streamed
from shared.contract.abilities import Ability
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import FileId
from shared.contract.requests import DeleteFile, FileInfo, GetFile, ListFiles


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
    ability=Ability.FILES_WRITE,
    needs_room=True,
    status_code=HTTP_200_OK,
    responses=REFUSALS | refusal(415, "No PNG, JPEG, WebP or GIF that can be looked at"),
    summary="Upload an image",
    description="The body is multipart/form-data with a part `file`: a PNG, JPEG, WebP or GIF. "
    "A part `purpose` may be there, and changes nothing.",
)
async def post_file(request: Call, uploads: Uploads) -> FileView:
    return _view(await uploads.take(request))


@get("/files", ability=Ability.FILES_READ, responses=REFUSALS, summary="A user's files, by id")
async def get_files(
    request: Call,
    ask: InjectedAsk,
    after: Annotated[str, Parameter(description="the id of the last one before", max_length=64)] = "",
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> FileList:
    reply = await ask(ListFiles(user=request.user.name, after=after, limit=limit))
    ids = [info.file_id for info in reply.files]
    return FileList(
        data=[_view(info) for info in reply.files],
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        has_more=reply.more,
    )


@get("/files/{file_id:str}", ability=Ability.FILES_READ, responses=REFUSALS, summary="One of them")
async def get_file(file_id: str, request: Call, ask: InjectedAsk) -> FileView:
    return _view(await ask(GetFile(user=request.user.name, file_id=_checked_id(file_id))))


@get(
    "/files/{file_id:str}/content",
    ability=Ability.FILES_READ,
    responses={HTTP_200_OK: sent_as(bytes, "The file as it was sent", "image/*")} | REFUSALS,
    summary="Its bytes, as they were sent",
)
async def get_content(file_id: str, request: Call, ask: InjectedAsk) -> Stream:
    user = request.user.name
    info = await ask(GetFile(user=user, file_id=_checked_id(file_id)))
    return await streamed(
        download(ask, user, file_id),
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
    ability=Ability.FILES_WRITE,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Delete a file",
    description="Turns keep what they say of it until they are forgotten.",
)
async def delete_file(file_id: str, request: Call, ask: InjectedAsk) -> DeletedFile:
    reply = await ask(DeleteFile(user=request.user.name, file_id=_checked_id(file_id)))
    if not reply.deleted:
        raise _no_such_file(file_id)
    return DeletedFile(id=file_id)


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
    return derive(
        FileView, info, id=info.file_id, created_at=int(info.created_at.timestamp()), filename=info.name
    )


def file_routes(*, limit_bytes: int) -> list[ControllerRouterHandler]:
    """Uploads have a limit of their own."""
    uploads = Router("/", route_handlers=[post_file], request_max_body_size=limit_bytes + FORM_BYTES)
    return [uploads, get_files, get_file, get_content, delete_file]
