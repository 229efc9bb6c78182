"""The whole table of abilities (docs/abilities.md), asked of a running stack."""

import json
import re
from pathlib import Path

import pytest_asyncio

from docs.builder.abilities import ASKERS, Asker, Row, by_subject, ids_in, rows
from docs.builder.entries import Entry, all_entries
from shared.contract.abilities import Ability
from shared.contract.subject_abilities import ABILITY_OF
from tests.flow.turns.owned_things import SESSION, WORD, Owned, owned_in
from tests.stack import Stack

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"
BODIES = {
    "POST /v1/turns/{turn_id}/steer": {"text": "x"},
    "POST /v1/turns/{turn_id}/approve": {"call": "x"},
    "POST /v1/turns/{turn_id}/deny": {"call": "x"},
    "POST /v1/turns/{turn_id}/result": {"call": "x", "text": "y"},
    "PATCH /v1/memories/{memory_id}": {"confidence": 0.5},
    "POST /v1/conversations/{conversation_id}": {"metadata": {}},
    "POST /v1/conversations/{conversation_id}/items": {"items": []},
}
"""Of the routes that read the body before they look for what is named."""
QUERIES = {
    "POST /v1/imports": "?user={name}",
    "POST /v1/imports/memories": "?user={name}",
    "GET /v1/messages": f"?session_id={SESSION}",
    "DELETE /v1/sessions": f"?session_id={SESSION}",
}
OTHERS = {"name": "context.md", "sequence": "999999999", "model": "pandora"}
"""Parts of paths that name nothing of a user."""
ENDED = {200, 201, 202, 204, 400, 409, 413, 415, 422}
"""Answers to a caller who was let in, about what is there."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owned(stack: Stack) -> Owned:
    return await owned_in(stack)


async def test_every_request_over_the_bus_for_another_users_id_is_404(owned: Owned) -> None:
    asked = {name: entry for name, entry in by_subject(all_entries()).items() if is_of_one_user(name, entry)}
    wrong = {}
    client = await owned.stack.bus()
    for name, entry in asked.items():
        given = json.loads((GOLDEN / f"{entry.golden}.json").read_bytes())
        given |= {field: owned.ids[field] for field in ids_in(entry)} | {"user": owned.users["other user"]}
        subject = name.replace("*", owned.ids["turn_id"])
        reply = await client.request(subject, json.dumps(given).encode(), timeout=15)
        status = (reply.headers or {}).get("Nats-Service-Error-Code")
        is_none = status == "404" or b'"deleted":false' in reply.data
        if not is_none or WORD.encode() in reply.data:
            wrong[name] = (status, reply.data[:200])
    await client.close()

    assert len(asked) > 10
    assert wrong == {}


def is_of_one_user(name: str, entry: Entry) -> bool:
    return bool(ids_in(entry)) and ABILITY_OF[name] is not Ability.INTERNAL


async def test_every_route_answers_every_asker_as_the_table_says(owned: Owned) -> None:
    wrong = []
    for row in sorted(rows(), key=gentle_first):
        for asker in sorted(ASKERS, key=lambda asker: asker == "owner"):
            path, body = asked_of(owned, row)
            status, answer = await owned.call(asker, row.method, path, body)
            if not is_as_said(row, asker, status, answer):
                wrong.append((row.method, row.path, asker, row.answer(asker), status, answer[:200]))

    assert wrong == []


def gentle_first(row: Row) -> tuple[int, int, str]:
    """What deletes comes last, what is inside before what holds it, and a whole user at the very end."""
    is_inside = -row.path.count("/")
    if row.method != "DELETE":
        return 0, is_inside, row.path
    return 1 + row.names_user + row.path.startswith("/v1/sessions"), is_inside, row.path


def asked_of(owned: Owned, row: Row) -> tuple[str, object]:
    named = OTHERS | owned.ids | ({} if "/users/" in row.path else {"name": OTHERS["name"]})
    path = re.sub(r"\{(\w+)\}", lambda part: named[part[1]], row.path)
    key = f"{row.method} {row.path}"
    body = {"query": WORD, "user": owned.ids["name"]} if row.path == "/v1/search" else BODIES.get(key)
    return path + QUERIES.get(key, "").format(name=owned.ids["name"]), body


def is_as_said(row: Row, asker: Asker, status: int, answer: bytes) -> bool:
    match row.answer(asker):
        case "yes":
            return status in ENDED or (
                status == 404 and ("{sequence}" in row.path or row.path == "/docs/{name}")
            )
        case "own":
            return status in ENDED | {404} and WORD.encode() not in answer
        case refused:
            return status == int(refused) and WORD.encode() not in answer
