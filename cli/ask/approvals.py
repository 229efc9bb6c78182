"""Tool calls that wait for a person: answered by `pandora approve` or `deny`, or in `pandora ask`."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from cli.ask.turn import Asked, Event, how_to_find
from cli.client.gateway import Gateway, GatewayError, json_body, own_gateway
from cli.terminal.failure import CommandFailed
from cli.terminal.output import print_json, print_text

Confirm = Callable[[str], Awaitable[bool | None]]


async def answer_waiting(turn_id: str, call: str, *, allow: bool, as_json: bool) -> None:
    """Answers the calls of a turn that wait, and prints which. `call` is the key of one; "": all."""
    async with own_gateway() as gateway:
        answered = await answer_call(gateway, turn_id, call, allow=allow)
    if as_json:
        print_json(answered)
    else:
        print_text(f"{'Allowed' if allow else 'Not allowed'}: {', '.join(answered['calls'])}.")


async def answer_call(gateway: Gateway, turn_id: str, call: str, *, allow: bool) -> dict[str, Any]:
    """Raises GatewayError: 409 where no such call waits."""
    path = f"/v1/turns/{quote(turn_id, safe='')}/{'approve' if allow else 'deny'}"
    return await gateway.call("POST", path, body=json_body({"call": call}))


class Approving:
    """Asks the person at the terminal about each call that waits. Without one, it notes how to answer."""

    def __init__(
        self, gateway: Gateway, asked: Asked, note: Callable[[str], None], confirm: Confirm | None
    ) -> None:
        """`confirm` is None where no person is at the terminal."""
        self._gateway = gateway
        self._asked = asked
        self._note = note
        self._confirm = confirm

    async def answer(self, waiting: Event) -> bool | None:
        """Returns the answer that was given here and counts. Raises CommandFailed where the input ended."""
        turn_id, key = str(self._asked.turn_id), waiting["key"]
        what = f"{waiting['tool']} {json.dumps(waiting['arguments'], ensure_ascii=False)}"
        if self._confirm is None:
            self._note(
                f"{what} waits for a person, for {waiting['seconds']:g} s. From another terminal: "
                f"`pandora approve {turn_id} --call {key}`, or `pandora deny` with the same."
            )
            return None
        self._note(f"It wants to call {what}")
        allow = await self._confirm("Allow it?")
        if allow is None:
            raise CommandFailed(f"\nLeft. {how_to_find(self._gateway.url, self._asked)}")
        try:
            await answer_call(self._gateway, turn_id, key, allow=allow)
        except GatewayError as error:
            if error.status != 409:
                raise
            self._note("Too late: it was answered elsewhere, or its time is over.")
            allow = None
        self._asked.waiting.discard(waiting["call"])
        return allow
