"""OpenAI's Conversations API: sessions, and what was said in them."""

from typing import Any

import msgspec
from litestar import Router, delete, get, post
from litestar.di import Provide
from litestar.status_codes import HTTP_200_OK

from services.gateway.forgetting.orders import Forgetting
from services.gateway.http.bodies import StrictBody
from services.gateway.openai.refusals import REFUSALS, in_openai_form
from services.gateway.responses.conversation_items import ConversationItems
from services.gateway.responses.ids import session_of
from services.gateway.responses.kept_conversations import Conversation, KeptConversations
from services.gateway.responses.objects import Deleted
from services.gateway.responses.pages import ItemList, Limit, ListedItem, Order
from services.gateway.responses.request import Metadata
from services.gateway.responses.routes import user_of
from shared.contract.abilities import Ability
from shared.contract.errors import Refused


class NewConversation(msgspec.Struct, kw_only=True, frozen=True):
    metadata: Metadata | None = None
    items: list[dict[str, Any]] | None = None


class ConversationUpdate(msgspec.Struct, kw_only=True, frozen=True):
    metadata: Metadata | None


class NewItems(msgspec.Struct, kw_only=True, frozen=True):
    items: list[dict[str, Any]]


@post(
    "/conversations",
    ability=Ability.TURNS_WRITE,
    needs_room=True,
    dto=StrictBody[NewConversation],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="For OpenAI's clients: a conversation before its first turn",
)
async def post_conversation(
    data: NewConversation, user: str, kept_conversations: KeptConversations
) -> Conversation:
    if data.items:
        raise _no_items_from_outside()
    return await kept_conversations.make(user, data.metadata or {})


@get(
    "/conversations/{conversation_id:str}",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="A conversation: any session of the user",
)
async def get_conversation(
    conversation_id: str, user: str, kept_conversations: KeptConversations
) -> Conversation:
    return await kept_conversations.get(user, session_of(conversation_id))


@post(
    "/conversations/{conversation_id:str}",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[ConversationUpdate],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Keep other metadata with a conversation",
)
async def update_conversation(
    conversation_id: str, data: ConversationUpdate, user: str, kept_conversations: KeptConversations
) -> Conversation:
    return await kept_conversations.update(user, session_of(conversation_id), data.metadata or {})


@delete(
    "/conversations/{conversation_id:str}",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Forget a conversation: all of its turns, and what came of them",
)
async def delete_conversation(
    conversation_id: str, user: str, kept_conversations: KeptConversations, forgetting: Forgetting
) -> Deleted:
    session_id = session_of(conversation_id)
    await kept_conversations.get(user, session_id)
    await forgetting.session(user, session_id, now=False)
    return Deleted(id=conversation_id, object="conversation.deleted")


@get(
    "/conversations/{conversation_id:str}/items",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="What was said in a conversation",
)
async def get_items(
    conversation_id: str,
    user: str,
    conversation_items: ConversationItems,
    order: Order = "desc",
    after: str | None = None,
    limit: Limit = 20,
) -> ItemList:
    return await conversation_items.page(user, session_of(conversation_id), order, after, limit)


@get(
    "/conversations/{conversation_id:str}/items/{item_id:str}",
    ability=Ability.TURNS_READ,
    responses=REFUSALS,
    summary="One of them",
)
async def get_item(
    conversation_id: str, item_id: str, user: str, conversation_items: ConversationItems
) -> ListedItem:
    return await conversation_items.one(user, session_of(conversation_id), item_id)


@post(
    "/conversations/{conversation_id:str}/items",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[NewItems],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Always refused: items come of turns",
)
async def post_items(
    conversation_id: str, data: NewItems, user: str, kept_conversations: KeptConversations
) -> ItemList:
    await kept_conversations.get(user, session_of(conversation_id))
    raise _no_items_from_outside()


@delete(
    "/conversations/{conversation_id:str}/items/{item_id:str}",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Always refused: an item is one half of a turn",
)
async def delete_item(
    conversation_id: str, item_id: str, user: str, conversation_items: ConversationItems
) -> Conversation:
    found = await conversation_items.one(user, session_of(conversation_id), item_id)
    raise Refused(
        422,
        f"{found.id} is one half of a turn, question and answer; DELETE /v1/responses/{{id}} forgets both",
        "item_id",
    )


def _no_items_from_outside() -> Refused:
    return Refused(
        422,
        "items is not taken: a turn would not know of them. What a user says is an input of POST "
        "/v1/responses; POST /v1/imports brings in what was said elsewhere",
        "items",
    )


conversation_routes = Router(
    "/",
    route_handlers=[
        post_conversation,
        get_conversation,
        update_conversation,
        delete_conversation,
        get_items,
        get_item,
        post_items,
        delete_item,
    ],
    dependencies={"user": Provide(user_of, sync_to_thread=False)},
    exception_handlers=in_openai_form(input_name="input"),
)
