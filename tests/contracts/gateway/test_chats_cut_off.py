"""A chat whose gateway dies: before the whole answer was sent the same request is the same turn, afterwards
another."""

import asyncio
from typing import Any

import msgspec

from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.conversations import Conversations
from services.gateway.openai.nats import BusChats
from shared.bus.connection import Bus

ASKED = [{"role": "user", "content": "What is the dog called?"}]
ANSWER = "Biscuit."


def chat(messages: list[dict[str, Any]]) -> ChatRequest:
    return msgspec.convert({"model": "pandora", "messages": messages}, ChatRequest)


async def test_a_repeat_is_another_turn_only_after_the_whole_answer_was_sent(bus: Bus) -> None:
    died, other = Conversations(BusChats(bus)), Conversations(BusChats(bus))
    first = await died.claim(chat(ASKED), "alice", None, again=False)
    await died.answered(first, 7, ANSWER)

    repeated = await other.claim(chat(ASKED), "alice", None, again=False)
    assert (repeated.is_repeat, repeated.chat.key) == (True, first.chat.key)

    other.sent(repeated, 7)
    on_the_same_gateway = await other.claim(chat(ASKED), "alice", None, again=False)
    assert on_the_same_gateway.chat.key != first.chat.key


async def test_what_was_sent_is_known_to_every_gateway_soon(bus: Bus) -> None:
    sender, other = Conversations(BusChats(bus)), Conversations(BusChats(bus))
    first = await sender.claim(chat(ASKED), "alice", None, again=False)
    await sender.answered(first, 7, ANSWER)
    sender.sent(first, 7)

    async with asyncio.timeout(20):
        while (await other.claim(chat(ASKED), "alice", None, again=False)).is_repeat:  # noqa: ASYNC110  # no gateway tells
            await asyncio.sleep(0.01)


async def test_the_session_is_found_by_the_answer_before_its_last_byte_is_sent(bus: Bus) -> None:
    one, other = Conversations(BusChats(bus)), Conversations(BusChats(bus))
    first = await one.claim(chat(ASKED), "alice", None, again=False)
    await one.answered(first, 7, ANSWER)

    grown = chat(
        [*ASKED, {"role": "assistant", "content": ANSWER}, {"role": "user", "content": "And the cat?"}]
    )
    following = await other.claim(grown, "alice", None, again=False)

    assert following.chat.session_id == first.chat.session_id
    assert following.chat.follows == 7
