"""OpenAI's own client for a user of a stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai

from tests.stack import KEYS, Stack


@asynccontextmanager
async def client_of(stack: Stack, user: str = "alice", **more: Any) -> AsyncIterator[Any]:
    url = f"{stack.gateway_url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=KEYS[user], **more) as client:
        yield client
