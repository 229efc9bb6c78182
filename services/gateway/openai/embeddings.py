"""Vectors of texts, by the model that memory is searched with. Nothing is stored."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from struct import iter_unpack
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.status_codes import HTTP_200_OK

from services.gateway.asking.ports import Ask
from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.limits.limiting import Limits
from services.gateway.openai.known_fields import KnownFields
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.processing import timed
from services.gateway.openai.refusals import REFUSALS, in_openai_form
from shared.contract.abilities import Ability
from shared.contract.errors import Refused
from shared.contract.requests import MOST_CHARACTERS, MOST_TEXTS, Embed, Embedded

_MOST_INPUTS: Final = 2048
"""As OpenAI has it."""
_BODY_BYTES: Final = 8 * 1024 * 1024
_FLOAT: Final = "<f"


class EmbeddingRequest(msgspec.Struct, kw_only=True, frozen=True):
    """Fields that are not here are ignored."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Vector(msgspec.Struct, kw_only=True, frozen=True):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Numbers, or their bytes (little-endian float32) in base64."""


class EmbeddingUsage(msgspec.Struct, kw_only=True, frozen=True):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(msgspec.Struct, kw_only=True, frozen=True):
    object: Literal["list"] = "list"
    data: list[Vector]
    model: str
    usage: EmbeddingUsage


@post(
    "/embeddings",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[EmbeddingRequest],
    return_dto=None,
    status_code=HTTP_200_OK,
    request_max_body_size=_BODY_BYTES,
    middleware=[timed],
    exception_handlers=in_openai_form(input_name="input"),
    responses=REFUSALS,
    summary="For OpenAI's clients: vectors of texts, by the embedding model; nothing is stored",
)
async def post_embeddings(
    request: Call, data: EmbeddingRequest, ask: InjectedAsk, known_fields: KnownFields, limits: Limits
) -> EmbeddingList:
    known_fields.check(await request.body(), data)
    embedded = await unless_left(request.receive, _embedded(data, ask))
    await limits.note_tokens(request.user.name, embedded.usage.total_tokens)
    return embedded


async def _embedded(asked: EmbeddingRequest, ask: Ask) -> EmbeddingList:
    vectors: list[Vector] = []
    tokens = 0
    for texts in _portions(_texts_of(asked.input)):
        reply = await ask(Embed(model=asked.model, texts=texts))
        _check_dimensions(asked, reply)
        tokens += reply.tokens
        vectors += [
            Vector(index=index, embedding=_written(vector, asked.encoding_format))
            for index, vector in enumerate(reply.vectors, len(vectors))
        ]
    usage = EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens)
    return EmbeddingList(data=vectors, model=asked.model, usage=usage)


def _texts_of(sent: Any) -> list[str]:
    """Raises Refused for what is no text, or is too much."""
    texts = [sent] if isinstance(sent, str) else sent
    if not texts or not all(text if isinstance(text, list) else str(text).strip() for text in texts):
        raise Refused(422, "an input is empty; leave it out", "input")
    if not all(isinstance(text, str) for text in texts):
        raise Refused(
            422,
            "input is tokens; send text, since the model has tokens of its own "
            "(LangChain: check_embedding_ctx_length=False)",
            "input",
        )
    if len(texts) > _MOST_INPUTS:
        raise Refused(422, f"there are {len(texts)} inputs; at most {_MOST_INPUTS} are taken", "input")
    longest = max(map(len, texts))
    if longest > MOST_CHARACTERS:
        raise Refused(
            422, f"an input has {longest} characters; at most {MOST_CHARACTERS} are taken; cut it", "input"
        )
    return list(texts)


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    """So many together as one request over the bus may have."""
    portion: list[str] = []
    room = MOST_CHARACTERS
    for text in texts:
        if portion and (len(portion) == MOST_TEXTS or len(text) > room):
            yield portion
            portion, room = [], MOST_CHARACTERS
        portion.append(text)
        room -= len(text)
    yield portion


def _check_dimensions(asked: EmbeddingRequest, reply: Embedded) -> None:
    """Shorter vectors of a model that was not trained for it find other things."""
    if asked.dimensions not in {None, reply.dimension}:
        raise Refused(
            422,
            f"dimensions is {asked.dimensions}; vectors of {reply.model} have {reply.dimension} numbers",
            "dimensions",
        )


def _written(vector: bytes, encoding_format: str) -> list[float] | str:
    if encoding_format == "base64":
        return b64encode(vector).decode()
    return [number for (number,) in iter_unpack(_FLOAT, vector)]


embedding_routes: list[HTTPRouteHandler] = [post_embeddings]
