"""The HTTP API of forgetting: what is deleted is gone from every store, and a receipt says so."""

import asyncio
import contextlib
from datetime import UTC, datetime

from litestar import Response, delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from uuid_utils import uuid7

from services.gateway.domain.naming import Naming
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS
from services.gateway.search import FORBIDDEN
from shared.errors import Refused, Transient
from shared.events import ForgetRequested, ForgetScope
from shared.replies import FindUnended, GetMemory, GetReceipt, GetTurn, Receipt

_WAIT_SECONDS = 20.0
"""Until the answer is a 202: the rest goes on all the same."""
_LOOK_SECONDS = 0.1
_RECEIPTS = {
    HTTP_200_OK: ResponseSpec(Receipt, description="Nothing finds it any more", generate_examples=False),
    HTTP_202_ACCEPTED: ResponseSpec(
        Receipt, description="Stored, and under way; Location says where to look", generate_examples=False
    ),
}
_ABOUT = "Answers with a receipt, store by store; its bytes are gone by `erased_by`. Cannot be undone."


@delete(
    "/turns/{turn_id:str}",
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a turn",
    description=f"Also answers that stood on it are removed. {_ABOUT}",
)
async def forget_turn(turn_id: str, gateway: Gateway, user: str) -> Response[Receipt]:
    known = gateway.checked_id(turn_id)
    try:
        await gateway.ask(GetTurn(user=user, turn_id=known))
    except Refused:
        await gateway.ask(FindUnended(user=user, turn_id=known))  # Refused as well where there is none.
    return await _forget(gateway, user, "turn", known)


@delete(
    "/sessions/{session_id:str}",
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a session",
    description=f"Its turns, or its imported messages. {_ABOUT}",
)
async def forget_session(session_id: str, gateway: Gateway, user: str) -> Response[Receipt]:
    return await _forget(gateway, user, "session", session_id)


@delete(
    "/memories/{memory_id:str}",
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS,
    summary="Forget a memory",
    description=f"Its statements do not come back. What it had superseded holds again. {_ABOUT}",
)
async def forget_memory(memory_id: str, gateway: Gateway, user: str) -> Response[Receipt]:
    memory = await gateway.ask(GetMemory(user=user, memory_id=memory_id))
    return await _forget(gateway, user, "memory", memory.memory_id)


@delete(
    "/users/{name:str}/data",
    status_code=HTTP_200_OK,
    responses=_RECEIPTS | REFUSALS | FORBIDDEN,
    summary="Forget all that is held of a user",
    description=f"`me` is whose key it is; others are forgotten by an admin. {_ABOUT}",
)
async def forget_user(name: str, gateway: Gateway, user: str, naming: Naming) -> Response[Receipt]:
    whom = naming.user(user, None if name == "me" else name)
    return await _forget(gateway, whom, "user", "")


@get(
    "/users/{name:str}/forgets/{forget_id:str}",
    responses=REFUSALS | FORBIDDEN,
    summary="How far a request to forget is",
)
async def get_receipt(
    name: str, forget_id: str, gateway: Gateway, user: str, naming: Naming
) -> Response[Receipt]:
    whom = naming.user(user, None if name == "me" else name)
    return _answer(await gateway.ask(GetReceipt(user=whom, forget_id=forget_id)))


async def _forget(gateway: Gateway, user: str, scope: ForgetScope, target: str) -> Response[Receipt]:
    now = datetime.now(UTC)
    order = ForgetRequested(forget_id=str(uuid7()), user=user, scope=scope, target=target, requested_at=now)
    await gateway.publish(order)
    receipt = Receipt(
        forget_id=order.forget_id,
        user=user,
        scope=scope,
        target=target,
        requested_at=now,
        state="pending",
        erased_by=now,
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WAIT_SECONDS):
            while receipt.state == "pending":
                await asyncio.sleep(_LOOK_SECONDS)
                with contextlib.suppress(Refused, Transient):  # Nobody has begun with it yet.
                    receipt = await gateway.ask(GetReceipt(user=user, forget_id=order.forget_id))
    return _answer(receipt)


def _answer(receipt: Receipt) -> Response[Receipt]:
    where = f"/v1/users/{receipt.user}/forgets/{receipt.forget_id}"
    status = HTTP_202_ACCEPTED if receipt.state == "pending" else HTTP_200_OK
    return Response(receipt, status_code=status, headers={"location": where})


forgetting_routes: list[HTTPRouteHandler] = [
    forget_turn,
    forget_session,
    forget_memory,
    forget_user,
    get_receipt,
]
