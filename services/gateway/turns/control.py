"""Cancelling and steering turns, and answering their tool calls."""

import logging
from typing import Annotated, Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.status_codes import HTTP_200_OK

from services.gateway.asking.ports import Ask
from services.gateway.http.bodies import StrictBody
from services.gateway.http.parameters import Call
from services.gateway.http.responses import CONFLICT, REFUSALS
from services.gateway.turns.refusals import checked_bytes, checked_id, checked_size
from shared.contract.abilities import Ability
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Control, Controlled

log = logging.getLogger(__name__)


class NewSteering(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user adds to a turn that runs."""

    text: Annotated[str, msgspec.Meta(min_length=1)]


class NewAnswer(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user says of a tool call that waits."""

    call: Annotated[
        str, msgspec.Meta(max_length=200, description="the key in `tool.waiting`; empty: all that wait")
    ] = ""


class NewResult(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What came of a tool call that the client made."""

    call: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="the key in `tool.waiting`")]
    text: Annotated[str, msgspec.Meta(description="what the tool returned")]


class Controls:
    def __init__(self, ask: Ask, *, input_limit_bytes: int) -> None:
        self._ask = ask
        self._input_limit = input_limit_bytes

    async def cancel(self, turn_id: str, user: str) -> Controlled:
        """Raises Refused (404)."""
        return await self._ask(Control(user=user, turn_id=checked_id(turn_id), action="cancel"))

    async def cancel_left(self, turn_id: str, user: str) -> None:
        """Cancels a turn whose reader left."""
        try:
            await self.cancel(turn_id, user)
        except (Refused, Transient) as error:
            log.warning("turn %s goes on, though its reader left: %s", turn_id, error)

    async def steer(self, turn_id: str, user: str, text: str) -> Controlled:
        """Raises Refused: 404, 409 where it comes too late, 413 and 422 for the text."""
        known = checked_id(turn_id)
        checked_size(text, self._input_limit, "text")
        return await self._ask(Control(user=user, turn_id=known, action="steer", text=text))

    async def answer(
        self, turn_id: str, user: str, action: Literal["approve", "deny"], call: str
    ) -> Controlled:
        """Answers a tool call that waits. Raises Refused: 404, 409 where no such call waits."""
        return await self._ask(Control(user=user, turn_id=checked_id(turn_id), action=action, call=call))

    async def result(self, turn_id: str, user: str, call: str, text: str) -> Controlled:
        """Of a tool call that the client made. Raises Refused: 404, 409 where no such call waits, 413."""
        known = checked_id(turn_id)
        checked_bytes(text, self._input_limit, "text")
        return await self._ask(Control(user=user, turn_id=known, action="result", call=call, text=text))


@post(
    "/turns/{turn_id:str}/cancel",
    ability=Ability.TURNS_WRITE,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Stop a turn",
    description="May be repeated. A turn that has ended stays as it is.",
)
async def cancel_turn(turn_id: str, request: Call, controls: Controls) -> Controlled:
    return await controls.cancel(turn_id, request.user.name)


@post(
    "/turns/{turn_id:str}/steer",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[NewSteering],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS | CONFLICT,
    summary="Add a message to a running turn",
)
async def steer_turn(turn_id: str, data: NewSteering, request: Call, controls: Controls) -> Controlled:
    return await controls.steer(turn_id, request.user.name, data.text)


@post(
    "/turns/{turn_id:str}/approve",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[NewAnswer],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS | CONFLICT,
    summary="Allow a tool call that the turn waits for",
)
async def approve_call(turn_id: str, data: NewAnswer, request: Call, controls: Controls) -> Controlled:
    return await controls.answer(turn_id, request.user.name, "approve", data.call)


@post(
    "/turns/{turn_id:str}/deny",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[NewAnswer],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS | CONFLICT,
    summary="Forbid a tool call that the turn waits for. The turn goes on without it",
)
async def deny_call(turn_id: str, data: NewAnswer, request: Call, controls: Controls) -> Controlled:
    return await controls.answer(turn_id, request.user.name, "deny", data.call)


@post(
    "/turns/{turn_id:str}/result",
    ability=Ability.TURNS_WRITE,
    dto=StrictBody[NewResult],
    return_dto=None,
    status_code=HTTP_200_OK,
    responses=REFUSALS | CONFLICT,
    summary="Say what came of a tool call that the client made. The turn goes on with it",
)
async def answer_call(turn_id: str, data: NewResult, request: Call, controls: Controls) -> Controlled:
    return await controls.result(turn_id, request.user.name, data.call, data.text)


control_routes: list[HTTPRouteHandler] = [cancel_turn, steer_turn, approve_call, deny_call, answer_call]
