"""A legacy completion, straight from the engine."""

from time import time
from typing import Final, Literal

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.status_codes import HTTP_200_OK
from msgspec import UNSET, UnsetType
from uuid_utils import uuid7

from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.live.sse import EventStream
from services.gateway.openai.completions import FinishReason, TokenUsage, event, tokens_of
from services.gateway.openai.known_fields import KnownFields
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.models import may_be_recipe, recipe_of
from services.gateway.openai.processing import timed
from services.gateway.openai.raw_answers import RawAnswers, reason_of
from services.gateway.openai.refusals import IN_OPENAI_FORM, REFUSALS
from services.gateway.openai.text_request import TextRequest, text_generation_of
from shared.contract.abilities import Ability
from shared.contract.errors import Refused
from shared.contract.requests import Generated, Recipes

_BODY_BYTES: Final = 4 * 1024 * 1024


class TextChoice(msgspec.Struct, kw_only=True, frozen=True):
    text: str
    index: int = 0
    logprobs: None = None
    finish_reason: FinishReason | None


class TextCompletion(msgspec.Struct, kw_only=True, frozen=True):
    """A whole one, or a chunk of one."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: TokenUsage | UnsetType | None = UNSET


class _TextForm:
    def __init__(self, text: TextRequest, request_id: str) -> None:
        self._head = TextCompletion(
            id=f"cmpl-{request_id}",
            created=int(time()),
            model=text.model,
            choices=[],
            usage=None if text.wants_usage else UNSET,
        )
        self._with_usage = text.wants_usage

    def whole(self, answer: Generated) -> TextCompletion:
        choice = TextChoice(text=answer.text, finish_reason=reason_of(answer))
        return msgspec.structs.replace(self._head, choices=[choice], usage=tokens_of(answer.usage))

    def begin(self) -> bytes:
        return b""

    def text(self, text: str) -> bytes:
        return self._chunk(TextChoice(text=text, finish_reason=None))

    def end(self, answer: Generated) -> bytes:
        last = self._chunk(TextChoice(text="", finish_reason=reason_of(answer)))
        if not self._with_usage:
            return last
        return last + event(msgspec.structs.replace(self._head, usage=tokens_of(answer.usage)))

    def _chunk(self, choice: TextChoice) -> bytes:
        return event(msgspec.structs.replace(self._head, choices=[choice]))


@post(
    "/completions",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[TextRequest],
    return_dto=None,
    status_code=HTTP_200_OK,
    request_max_body_size=_BODY_BYTES,
    middleware=[timed],
    exception_handlers=IN_OPENAI_FORM,
    responses={
        HTTP_200_OK: ResponseSpec(
            TextCompletion, generate_examples=False, description="The text; with `stream` in chunks"
        ),
        **REFUSALS,
    },
    summary="For OpenAI's clients: a model of the engine goes on with a text; nothing is stored",
)
async def post_completion(
    request: Call, data: TextRequest, ask: InjectedAsk, raw_answers: RawAnswers, known_fields: KnownFields
) -> Response[TextCompletion] | EventStream:
    known_fields.check(await request.body(), data)
    if may_be_recipe(data.model) and recipe_of(data.model, await ask(Recipes())) is not None:
        raise Refused(422, f"{data.model} answers chats; send them to /v1/chat/completions", "model")
    generation = text_generation_of(data, f"text-{uuid7()}")
    form, user = _TextForm(data, generation.request_id), request.user.name
    if data.stream:
        return await raw_answers.stream(generation, user, form, request.receive)
    return Response(await unless_left(request.receive, raw_answers.whole(generation, user, form)))


text_routes: list[HTTPRouteHandler] = [post_completion]
