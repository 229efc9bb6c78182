"""Forgetting over HTTP: what is deleted is removed from every store, and a receipt says so."""

from typing import Annotated

from litestar import Response, delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from services.gateway.forgetting.orders import Forgetting
from services.gateway.http.parameters import Call, InjectedAsk, SessionName
from services.gateway.http.responses import REFUSALS
from shared.contract.abilities import Ability
from shared.contract.requests import GetReceipt, Receipt

_RECEIPTS = {
    HTTP_200_OK: ResponseSpec(Receipt, description="Nothing finds it any more", generate_examples=False),
    HTTP_202_ACCEPTED: ResponseSpec(
        Receipt, description="Stored, and under way; Location says where to look", generate_examples=False
    ),
}
Now = Annotated[bool, Parameter(description="erase its bytes at once, which takes some seconds")]
_ABOUT = "Answers with a receipt, store by store. Its bytes are gone by `erased_by`. Cannot be undone."


@delete(
    "/turns/{turn_id:str}",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a turn",
    description=f"Also removes answers that used it. {_ABOUT}",
)
async def forget_turn(
    turn_id: str, request: Call, forgetting: Forgetting, now: Now = False
) -> Response[Receipt]:
    return _answer(await forgetting.turn(request.user.name, turn_id, now=now))


@delete(
    "/sessions/{session_id:str}",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a session",
    description=f"Its turns, or its imported messages. {_ABOUT}",
)
async def forget_session(
    session_id: SessionName, request: Call, forgetting: Forgetting, now: Now = False
) -> Response[Receipt]:
    return _answer(await forgetting.session(request.user.name, session_id, now=now))


@delete(
    "/sessions",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a session, by the query",
    description="As `DELETE /v1/sessions/{session_id}`, for the names `.` and `..`, which many clients and "
    f"proxies take out of a path. {_ABOUT}",
)
async def forget_named_session(
    session_id: SessionName, request: Call, forgetting: Forgetting, now: Now = False
) -> Response[Receipt]:
    return _answer(await forgetting.session(request.user.name, session_id, now=now))


@delete(
    "/memories/{memory_id:str}",
    ability=Ability.DATA_FORGET,
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a memory",
    description=f"Its statements do not come back. A memory that it had superseded is valid again. {_ABOUT}",
)
async def forget_memory(
    memory_id: str, request: Call, forgetting: Forgetting, now: Now = False
) -> Response[Receipt]:
    return _answer(await forgetting.memory(request.user.name, memory_id, now=now))


@delete(
    "/users/{name:str}/data",
    ability=Ability.DATA_FORGET,
    names_user=True,
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget everything that is stored of a user",
    description=f"`me` is the user of the key; only services and admins may name another. {_ABOUT}",
)
async def forget_user(
    name: str, request: Call, forgetting: Forgetting, now: Now = False
) -> Response[Receipt]:
    return _answer(await forgetting.user(request.user.acts_for(name), now=now))


@get(
    "/users/{name:str}/forgets/{forget_id:str}",
    ability=Ability.DATA_FORGET,
    names_user=True,
    responses=REFUSALS,
    summary="How far a request to forget is",
)
async def get_receipt(name: str, forget_id: str, request: Call, ask: InjectedAsk) -> Response[Receipt]:
    user = request.user.acts_for(name)
    return _answer(await ask(GetReceipt(user=user, forget_id=forget_id)))


def _answer(receipt: Receipt) -> Response[Receipt]:
    location = f"/v1/users/{receipt.user}/forgets/{receipt.forget_id}"
    status = HTTP_202_ACCEPTED if receipt.state == "pending" else HTTP_200_OK
    return Response(receipt, status_code=status, headers={"location": location})


forgetting_routes: list[HTTPRouteHandler] = [
    forget_turn,
    forget_session,
    forget_named_session,
    forget_memory,
    forget_user,
    get_receipt,
]
