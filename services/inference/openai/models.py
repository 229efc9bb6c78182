"""The list of models of an OpenAI-compatible server."""

import asyncio

import aiohttp
import msgspec

from services.inference.openai.chat_stream import error_message
from shared.contract.errors import Transient


class ServedModel(msgspec.Struct, frozen=True):
    id: str
    max_model_len: int | None = None
    """Tokens of prompt and answer together; None where the server does not say."""


class _List(msgspec.Struct, frozen=True):
    data: list[ServedModel]


async def served_models(url: str, http: aiohttp.ClientSession, timeout_seconds: float) -> list[ServedModel]:
    """Raises Transient where the server does not list its models."""
    try:
        async with asyncio.timeout(timeout_seconds), http.get(f"{url}/models") as response:
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Transient(f"{url} is not reachable: {error or type(error).__name__}") from error
    if response.status != 200:
        raise Transient(f"{url}/models answers {response.status}: {error_message(body)}")
    try:
        return msgspec.json.decode(body, type=_List).data
    except msgspec.DecodeError as error:
        raise Transient(f"{url}/models answers no list of models ({error})") from error
