"""What OpenAI's clients ask for: models, chat completions."""

from typing import Annotated, Final

from litestar import Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.asking.ports import Ask
from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.live.sse import EventStream
from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.completions import Completion
from services.gateway.openai.known_fields import KnownFields
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.models import Model, ModelList, listed, may_be_recipe, no_such_model, recipe_of
from services.gateway.openai.open_webui import OpenWebUiUsers
from services.gateway.openai.processing import timed
from services.gateway.openai.raw_chats import RawChats
from services.gateway.openai.refusals import IN_OPENAI_FORM, REFUSALS
from services.gateway.openai.session_names import session_named
from services.gateway.openai.turn_chats import TurnChats
from services.gateway.openai.utility_calls import is_utility
from shared.contract.abilities import Ability
from shared.contract.requests import Models, Recipes

_RETRY: Final = "X-Stainless-Retry-Count"
"""OpenAI's own clients send it: 0 with a new request, more with the same one again."""
_BODY_BYTES: Final = 32 * 1024 * 1024
"""The largest body: a whole conversation with its images."""


@get(
    "/models",
    ability=Ability.TURNS_READ,
    middleware=[timed],
    exception_handlers=IN_OPENAI_FORM,
    responses=REFUSALS,
    summary="For OpenAI's clients: the recipes, and the models of the engine",
)
async def get_models(ask: InjectedAsk) -> ModelList:
    return ModelList(data=await _models(ask))


@get(
    "/models/{model:str}",
    ability=Ability.TURNS_READ,
    middleware=[timed],
    exception_handlers=IN_OPENAI_FORM,
    responses=REFUSALS,
    summary="One of them",
)
async def get_model(model: str, ask: InjectedAsk) -> Model:
    found = next((one for one in await _models(ask) if one.id == model), None)
    if found is None:
        raise no_such_model(model)
    return found


async def _models(ask: Ask) -> list[Model]:
    recipes, engine = (await ask(Recipes())).names, await ask(Models())
    return listed(recipes, engine.engine, engine.models)


@post(
    "/chat/completions",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[ChatRequest],
    return_dto=None,
    status_code=HTTP_200_OK,
    request_max_body_size=_BODY_BYTES,
    middleware=[timed],
    exception_handlers=IN_OPENAI_FORM,
    responses={
        HTTP_200_OK: ResponseSpec(
            Completion, generate_examples=False, description="The answer; with `stream` in chunks"
        ),
        **REFUSALS,
    },
    summary="For OpenAI's clients: a turn, or a model of the engine, with the answer as a chat completion",
    description="A model of the engine answers without a turn, and nothing is stored; so are titles and the "
    "like that clients ask for themselves. "
    "A turn's session is the one that is named, by X-Pandora-Session or `session_id` first, or that of the "
    "longest known beginning of `messages`.",
)
async def post_chat_completion(
    request: Call,
    data: ChatRequest,
    ask: InjectedAsk,
    turn_chats: TurnChats,
    raw_chats: RawChats,
    known_fields: KnownFields,
    open_webui_users: OpenWebUiUsers,
    retry_count: Annotated[str | None, HeaderParameter(name=_RETRY)] = None,
) -> Response[Completion] | EventStream:
    known_fields.check(await request.body(), data)
    recipe = recipe_of(data.model, await ask(Recipes())) if may_be_recipe(data.model) else None
    if recipe is None:
        return await _answer_raw(request, data, raw_chats, data.model)
    named = session_named(
        request.headers, session_id=data.session_id, prompt_cache_key=data.prompt_cache_key, user=data.user
    )
    if is_utility(data, request.headers, is_named=named is not None):
        return await _answer_raw(request, data, raw_chats, None)
    user = open_webui_users.user_of(request.headers, request.user)
    again = retry_count not in {None, "0"}
    accepted = await turn_chats.accept(data, recipe, user, named, again=again)
    if data.stream:
        return turn_chats.stream(accepted)
    completion = await unless_left(request.receive, turn_chats.completion(accepted))
    sent = BackgroundTask(turn_chats.sent, accepted)
    return Response(completion, headers=accepted.headers, background=sent)


async def _answer_raw(
    request: Call, chat: ChatRequest, raw_chats: RawChats, model: str | None
) -> Response[Completion] | EventStream:
    user = request.user.name
    if chat.stream:
        return await raw_chats.stream(chat, user, model, request.receive)
    return Response(await unless_left(request.receive, raw_chats.completion(chat, user, model)))


openai_routes: list[HTTPRouteHandler] = [get_models, get_model, post_chat_completion]
