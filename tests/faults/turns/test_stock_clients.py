"""A stock client whose gateway dies after it has accepted the turn: it repeats, and there is one turn."""

import asyncio
from uuid import uuid4

import openai
import pytest

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import kill, until_sent
from tests.stack import KEYS, Stack


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_survives_the_death_of_its_gateway(
    faulty: Stack, slow: ChatServer, stream: bool
) -> None:
    """What has begun to stream is no request that the client repeats: it asks once more by itself."""
    words = f"{uuid4().hex} " + " ".join(f"word{number}" for number in range(60))
    say = [{"role": "user", "content": words}]
    url = f"{faulty.gateway_url}/v1"
    asked_before = len(slow.bodies)
    async with openai.AsyncOpenAI(base_url=url, api_key=KEYS["alice"], max_retries=20) as client:

        async def ask() -> tuple[str, str]:
            answer = await client.chat.completions.create(model="pandora-direct", messages=say, stream=stream)
            if not stream:
                return answer.id, answer.choices[0].message.content
            chunks = [chunk async for chunk in answer]
            return chunks[0].id, "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

        asking = asyncio.create_task(ask())
        await until_sent(lambda: slow.running and len(slow.bodies) > asked_before)
        kill(faulty, "gateway")
        try:
            completion, said = await asking
        except openai.APIError:
            assert stream
            completion, said = await ask()

    turn_id = completion.removeprefix("chatcmpl-")
    await faulty.until_indexed(turn_id)
    rows = await faulty.rows("SELECT turn_id FROM pandora.turns WHERE input = $1", words)
    assert [row["turn_id"] for row in rows] == [turn_id]
    assert said == words
