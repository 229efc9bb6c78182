"""What a user owns in a running stack, one of each kind, and keys of every role to ask for it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
from yarl import URL

from docs.builder.abilities import ASKERS, Asker
from shared.contract.events import encode
from tests.contracts.orchestrator.images_room import image_bytes
from tests.flow.command import pandora
from tests.stack import Stack
from tests.unit.samples import fetched

WORD = f"zanzibar{uuid4().hex[:8]}"
"""Stands in all that the owner owns, and in nothing of another user."""
SESSION = "garden"
CONVERSATION = "meadow"


class Owned(msgspec.Struct):
    stack: Stack
    users: dict[Asker, str]
    keys: dict[Asker, str]
    ids: dict[str, str]
    """By the name that routes and requests give them: `turn_id`, `file_id`, ..."""

    async def call(
        self, asker: Asker, method: str, path: str, body: object = None, form: aiohttp.FormData | None = None
    ) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self.keys[asker]}"} if asker in self.keys else {}
        sent = form or (b"" if body is None else body if isinstance(body, bytes) else json.dumps(body))
        url = URL(self.stack.gateway_url + path, encoded=True)
        async with (
            asyncio.timeout(60),
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, url, data=sent) as response,
        ):
            return response.status, await response.read()

    async def made(self, path: str, body: object = None, form: aiohttp.FormData | None = None) -> Any:
        status, answer = await self.call("owner", "POST", path, body, form)
        assert status < 300, answer
        return json.loads(answer)

    async def until_found(self, path: str) -> None:
        """Waits until the owner is answered with what it holds."""
        async with asyncio.timeout(60):
            while WORD.encode() not in (await self.call("owner", "GET", path))[1]:  # noqa: ASYNC110  # HTTP
                await asyncio.sleep(0.1)


async def owned_in(stack: Stack) -> Owned:
    users = {asker: f"{asker.replace(' ', '-')}-{uuid4().hex[:6]}" for asker in ASKERS}
    keys = await asyncio.gather(
        *(key_of(stack, users[asker], role.value) for asker, role in ASKERS.items() if role)
    )
    askers = [asker for asker, role in ASKERS.items() if role]
    owned = Owned(stack, users, dict(zip(askers, keys, strict=True)), {"name": users["owner"]})
    await until_let_in(owned)
    turn = await owned.made("/v1/turns", {"input": f"My boat is called {WORD}.", "session_id": SESSION})
    answered = await owned.made("/v1/turns", {"input": f"My tent is called {WORD}."})
    listed = await owned.made(
        "/v1/turns", {"input": f"My kite is called {WORD}.", "session_id": CONVERSATION}
    )
    form = aiohttp.FormData()
    form.add_field("file", image_bytes(), filename=f"{WORD}.png")
    memories = [await owned.made("/v1/memories", {"text": f"{WORD} {number}"}) for number in range(2)]
    _, receipt = await owned.call("owner", "DELETE", f"/v1/memories/{memories[1]['memory_id']}")
    owned.ids |= {
        "turn_id": turn["id"],
        "session_id": SESSION,
        "response_id": f"resp_{answered['id']}",
        "conversation_id": f"conv_{CONVERSATION}",
        "item_id": f"msg_{listed['id']}_user",
        "file_id": (await owned.made("/v1/files", form=form))["id"],
        "memory_id": memories[0]["memory_id"],
        "forget_id": json.loads(receipt)["forget_id"],
        "research_id": await page_of(stack, users["owner"]),
    }
    await owned.until_found(f"/v1/turns/{turn['id']}/documents/context.md")
    await owned.until_found(f"/v1/responses/resp_{answered['id']}/input_items")
    await owned.until_found(f"/v1/conversations/conv_{CONVERSATION}/items")
    await owned.until_found(f"/v1/research/{owned.ids['research_id']}")
    return owned


async def key_of(stack: Stack, user: str, role: str) -> str:
    status, printed = await pandora(stack, "keys", "create", "--user", user, "--role", role, "--json")
    assert status == 0, printed
    return str(json.loads(printed)["key"])


async def until_let_in(owned: Owned) -> None:
    async with asyncio.timeout(20):
        for asker in owned.keys:
            while (await owned.call(asker, "GET", "/v1/queue"))[0] == 401:  # noqa: ASYNC110  # HTTP
                await asyncio.sleep(0.02)


async def page_of(stack: Stack, user: str) -> str:
    now, research_id = datetime.now(UTC), uuid4().hex
    url = f"https://boats.example.org/{research_id}"
    more = {"fetched_at": now, "requested_at": now, "expires_at": now + timedelta(days=1)}
    event = fetched(1, WORD, research_id=research_id, user=user, url=url, **more)
    client = await stack.bus("orchestrator")
    await client.jetstream().publish(event.subject, encode(event), headers={"Nats-Msg-Id": research_id})
    await client.close()
    return research_id
