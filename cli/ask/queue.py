"""The turns of a user that have not ended: which of them wait for an answer, and how one is cancelled."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from cli.client.gateway import Gateway, own_gateway
from cli.terminal.output import print_json, print_text
from shared.language.shortening import shortened

_PAGE = 100
_LINE_CHARACTERS = 70
"""Of what was said, as much as fits a line of a terminal."""
Turn = dict[str, Any]


async def queued_turns(gateway: Gateway, status: str) -> list[Turn]:
    """Returns the user's turns with this status, oldest first. Raises GatewayError."""
    turns: list[Turn] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = {"status": status, "limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
        page = await gateway.call("GET", f"/v1/queue?{urlencode(asked)}")
        turns += page["turns"]
        cursor = page["next_cursor"]
    return turns


async def list_waiting(*, as_json: bool) -> None:
    """Prints the turns that wait for a person, and how to go on."""
    async with own_gateway() as gateway:
        turns = await queued_turns(gateway, "waiting")
    if as_json:
        print_json(turns)
        return
    for line in lines_of(turns):
        print_text(line)


def lines_of(turns: list[Turn]) -> list[str]:
    if not turns:
        return ["No turn of yours waits for an answer."]
    lines: list[str] = []
    for turn in turns:
        lines.append(f"{turn['id']}  {shortened(turn['input'], _LINE_CHARACTERS)}")
        for call in turn["calls"]:
            what = f"{call['tool']} {json.dumps(call['arguments'], ensure_ascii=False)}"
            how = "made by its client" if call["for_client"] else f"--call {call['key']}"
            lines.append(f"  {how}  {shortened(what, _LINE_CHARACTERS)}")
    how = f"To let one go on: `pandora approve {turns[0]['id']}`, or `pandora deny` with its id."
    return [*lines, "", f"{how} With --call: that call alone."]


async def cancel_turn(turn_id: str, *, as_json: bool) -> bool:
    """Prints what the gateway answers. Returns whether the turn is cancelled."""
    async with own_gateway() as gateway:
        answer = await gateway.call("POST", f"/v1/turns/{quote(turn_id, safe='')}/cancel")
    if as_json:
        print_json(answer)
    else:
        print_text(words_of(answer))
    return bool(answer["done"])


def words_of(answer: dict[str, Any]) -> str:
    if not answer["done"]:
        return f"Too late: the turn has ended ({answer['found']})."
    return "It was cancelled before." if answer["found"] == "cancelled" else "Cancelled."
