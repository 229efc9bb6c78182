"""OpenAI's Responses API."""

from typing import Annotated, Final

from litestar import Response as HttpResponse
from litestar import Router, delete, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, Parameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.live.sse import EventStream
from services.gateway.openai.leaving import unless_left
from services.gateway.openai.models import may_be_recipe, recipe_of
from services.gateway.openai.open_webui import OpenWebUiUsers
from services.gateway.openai.refusals import REFUSALS, in_openai_form
from services.gateway.openai.session_names import NamedSession, session_named
from services.gateway.responses.known_responses import KnownResponses
from services.gateway.responses.objects import Deleted, Response, TokenCount
from services.gateway.responses.pages import ItemList, Limit, Order, page_of
from services.gateway.responses.raw_responses import RawResponses
from services.gateway.responses.request import Asked, ResponseRequest, check_fields
from services.gateway.responses.token_counts import counted
from services.gateway.responses.turn_responses import Accepted, Sent, TurnResponses
from shared.contract.abilities import Ability
from shared.contract.requests import Recipes

_RETRY: Final = "X-Stainless-Retry-Count"
_BODY_BYTES: Final = 32 * 1024 * 1024
"""The largest body: a whole conversation with its images."""
_ONE: Final = {
    HTTP_200_OK: ResponseSpec(Response, generate_examples=False, description="The response"),
    **REFUSALS,
}
_STREAMED: Final = {
    HTTP_200_OK: ResponseSpec(
        Response, generate_examples=False, description="The response; with `stream` its events"
    ),
    **REFUSALS,
}


@post(
    "/responses",
    ability=Ability.TURNS_WRITE,
    needs_room=True,
    dto=StrictBody[ResponseRequest],
    return_dto=None,
    status_code=HTTP_200_OK,
    request_max_body_size=_BODY_BYTES,
    responses=_STREAMED,
    summary="For OpenAI's clients: a turn, or a model of the engine, with the answer as a response",
    description="A model of the engine answers without a turn, and nothing is stored.",
)
async def post_response(
    request: Call,
    data: ResponseRequest,
    ask: InjectedAsk,
    turn_responses: TurnResponses,
    raw_responses: RawResponses,
    user: str,
    retry_count: Annotated[str | None, HeaderParameter(name=_RETRY)] = None,
) -> HttpResponse[Response] | EventStream:
    check_fields(data)
    recipe = recipe_of(data.model, await ask(Recipes())) if may_be_recipe(data.model) else None
    if recipe is None:
        return await _answer_raw(request, data, raw_responses, data.model)
    session = _session_named(request, data)
    if data.store is False and session is None and not data.is_placed:
        return await _answer_raw(request, data, raw_responses, None)
    asked = Sent(request=data, user=user, session=session, again=retry_count not in {None, "0"})
    if data.background and not data.stream:
        begun = await turn_responses.begin(asked, recipe)
        return _sent_of(turn_responses, begun, begun.head.response("queued", []))
    accepted = await turn_responses.accept(asked, recipe)
    if data.stream:
        return turn_responses.stream(accepted)
    response = await unless_left(request.receive, turn_responses.response(accepted))
    return _sent_of(turn_responses, accepted, response)


def _sent_of(turn_responses: TurnResponses, accepted: Accepted, response: Response) -> HttpResponse[Response]:
    sent = BackgroundTask(turn_responses.sent, accepted)
    return HttpResponse(response, headers=accepted.headers, background=sent)


async def _answer_raw(
    request: Call, data: ResponseRequest, raw_responses: RawResponses, model: str | None
) -> HttpResponse[Response] | EventStream:
    user = request.user.name
    if data.stream:
        return await raw_responses.stream(data, user, model, request.receive)
    return HttpResponse(await unless_left(request.receive, raw_responses.response(data, user, model)))


def _session_named(request: Call, data: ResponseRequest) -> NamedSession | None:
    """A conversation that is named goes before what only hints at one."""
    return session_named(
        request.headers,
        session_id=data.session_id,
        prompt_cache_key=None if data.is_placed else data.prompt_cache_key,
        user=None if data.is_placed else data.user,
    )


@get(
    "/responses/{response_id:str}",
    ability=Ability.TURNS_READ,
    responses=_STREAMED,
    summary="A response as it is now; with `stream` its events, also after its end",
)
async def get_response(
    response_id: str,
    user: str,
    known_responses: KnownResponses,
    stream: bool = False,
    starting_after: Annotated[
        int, Parameter(ge=-1, description="the number of the last event that the client has")
    ] = -1,
) -> HttpResponse[Response] | EventStream:
    if stream:
        return await known_responses.stream(response_id, user, starting_after)
    return HttpResponse(await known_responses.response(response_id, user))


@post(
    "/responses/{response_id:str}/cancel",
    ability=Ability.TURNS_WRITE,
    status_code=HTTP_200_OK,
    responses=_ONE,
    summary="Stop a response",
    description="May be repeated. A response that has ended stays as it is.",
)
async def cancel_response(response_id: str, user: str, known_responses: KnownResponses) -> Response:
    return await known_responses.cancel(response_id, user)


@delete(
    "/responses/{response_id:str}",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Forget a response: its turn, and what came of it",
)
async def delete_response(response_id: str, user: str, known_responses: KnownResponses) -> Deleted:
    await known_responses.forget(response_id, user)
    return Deleted(id=response_id, object="response")


@get(
    "/responses/{response_id:str}/input_items",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="What the user said, as one message",
)
async def get_input_items(
    response_id: str,
    user: str,
    known_responses: KnownResponses,
    order: Order = "desc",
    after: str | None = None,
    limit: Limit = 20,
) -> ItemList:
    return page_of([await known_responses.question(response_id, user)], order, after, limit)


@post(
    "/responses/input_tokens",
    ability=Ability.TURNS_READ,
    dto=StrictBody[Asked],
    return_dto=None,
    status_code=HTTP_200_OK,
    request_max_body_size=_BODY_BYTES,
    responses=REFUSALS,
    summary="How many tokens an input has",
    description="Of a recipe: the words that are sent, without its prompts and what memory finds.",
)
async def count_input_tokens(data: Asked, ask: InjectedAsk) -> TokenCount:
    return await counted(ask, data)


def user_of(request: Call, open_webui_users: OpenWebUiUsers) -> str:
    """The dependency `user`: who a request is about."""
    return open_webui_users.user_of(request.headers, request.user)


response_routes = Router(
    "/",
    route_handlers=[
        post_response,
        get_response,
        cancel_response,
        delete_response,
        get_input_items,
        count_input_tokens,
    ],
    dependencies={"user": Provide(user_of, sync_to_thread=False)},
    exception_handlers=in_openai_form(input_name="input"),
)
