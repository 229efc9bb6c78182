"""OpenAI's own client and its Conversations API, in front of the whole stack."""

from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.flow.openai.clients import client_of
from tests.stack import Stack

MODEL = "pandora-direct"


async def respond(client: Any, text: str, conversation: Any) -> Any:
    return await client.responses.create(model=MODEL, input=text, conversation=conversation)


async def test_a_conversation_is_made_changed_filled_listed_and_forgotten(stack: Stack, client: Any) -> None:
    made = await client.conversations.create(metadata={"topic": "boats"})
    changed = await client.conversations.update(made.id, metadata={"topic": "tents"})
    assert (await client.conversations.items.list(made.id)).data == []

    first = await respond(client, "My tent is called Olga.", made.id)
    second = await respond(client, "What is my tent called?", {"id": made.id})

    found = await client.conversations.retrieve(made.id)
    assert found.to_dict() == changed.to_dict() == made.to_dict() | {"metadata": {"topic": "tents"}}
    assert "Olga" in second.output_text
    assert first.conversation.id == second.conversation.id == made.id
    for response in (first, second):
        await stack.until_indexed(response.id.removeprefix("resp_"))
    newest = [item async for item in client.conversations.items.list(made.id, limit=1)]
    oldest = [item async for item in client.conversations.items.list(made.id, limit=3, order="asc")]
    assert newest == oldest[::-1]
    assert [item.role for item in oldest] == ["user", "assistant"] * 2
    assert newest[0].to_dict() == second.output[0].to_dict()
    one = await client.conversations.items.retrieve(oldest[0].id, conversation_id=made.id)
    assert one == oldest[0]

    deleted = await client.conversations.delete(made.id)
    assert deleted.deleted
    for gone in (client.conversations.retrieve(made.id), client.responses.retrieve(first.id)):
        with pytest.raises(openai.NotFoundError):
            await gone


async def test_any_session_is_a_conversation(stack: Stack, client: Any) -> None:
    session = f"tent-{uuid4()}"
    saved = await stack.tell("My tent is called Olga.", session_id=session)

    found = await client.conversations.retrieve(f"conv_{session}")
    items = await client.conversations.items.list(found.id, order="asc")

    assert (found.metadata, found.created_at > 0) == ({}, True)
    assert [item.content[0].text for item in items.data] == ["My tent is called Olga.", saved["output"]]


async def test_another_users_conversations_are_not_there(stack: Stack, client: Any) -> None:
    made = await client.conversations.create()
    async with client_of(stack, "bob") as bob:
        for asked in (
            bob.conversations.retrieve(made.id),
            bob.conversations.update(made.id, metadata={}),
            bob.conversations.delete(made.id),
            bob.conversations.items.list(made.id),
            bob.conversations.items.retrieve("msg_1_user", conversation_id=made.id),
            respond(bob, "Hello", made.id),
        ):
            with pytest.raises(openai.NotFoundError):
                await asked


async def test_what_turns_do_not_allow_is_refused_by_name(stack: Stack, client: Any) -> None:
    said: Any = [{"role": "user", "content": "Hello", "type": "message"}]
    made = await client.conversations.create()
    response = await respond(client, "Hello", made.id)

    for asked, param in (
        (client.conversations.create(items=said), "items"),
        (client.conversations.items.create(made.id, items=said), "items"),
        (client.conversations.items.delete(response.output[0].id, conversation_id=made.id), "item_id"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            await asked
        assert refused.value.param == param
