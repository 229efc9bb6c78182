"""The models of an OpenAI-compatible server: MODEL, and the list that it may have at `/models`."""

import asyncio

import aiohttp
import msgspec

from services.inference.openai.events import shown
from services.inference.openai.server_errors import reason_of
from services.inference.settings import InferenceSettings
from shared.contract.errors import Transient
from shared.contract.events import UNREADABLE

_NO_LIST = frozenset({403, 404, 405, 501})
"""The server answers, and keeps no list, or not for this key. It may answer chats."""
_SET_MODEL = "Set MODEL to the name of the model, or correct OPENAI_BASE_URL"


class ServedModel(msgspec.Struct, frozen=True):
    id: str
    max_model_len: int | None = None
    """Tokens of prompt and answer together; None where the server does not say."""


class _List(msgspec.Struct, frozen=True):
    data: list[ServedModel] | None


class _NoList(Transient):
    """The server is there, and does not say which models it has."""


class ServerModels:
    def __init__(self, url: str, http: aiohttp.ClientSession, settings: InferenceSettings) -> None:
        self._url = url
        self._http = http
        self._default = settings.model
        self._timeout_seconds = settings.openai_connect_timeout_seconds
        self.context_tokens = settings.openai_context_tokens

    async def names(self) -> list[str]:
        """The default first. Raises Transient where MODEL is not set and the server names none."""
        try:
            served = await self._served()
        except Transient:
            if self._default is None:
                raise
            served = []
        default = self._default or served[0].id
        for model in served:
            if model.id == default and model.max_model_len:
                self.context_tokens = model.max_model_len
        return [default, *(model.id for model in served if model.id != default)]

    async def check(self) -> None:
        """Raises Transient where no generation can start. It can without a list, where MODEL is set."""
        try:
            await self._served()
        except _NoList:
            if self._default is None:
                raise

    async def _served(self) -> list[ServedModel]:
        """At least one. Raises Transient."""
        status, body = await self._answer()
        where = f"{self._url}/models"
        if status != 200:
            error = _NoList if status in _NO_LIST else Transient
            raise error(f"{where} answers {status}: {reason_of(body).message}. {_SET_MODEL}", retry_in=5.0)
        if body.lstrip().startswith(b"<"):
            raise Transient(f"OPENAI_BASE_URL={self._url} is no model server: {where} answers {shown(body)}")
        try:
            found = msgspec.json.decode(body, type=_List | list[ServedModel] | None)
        except UNREADABLE as error:
            raise _NoList(f"{where} answers no list of models ({error}). {_SET_MODEL}") from error
        served = found.data if isinstance(found, _List) else found
        if not served:
            raise _NoList(f"{self._url} serves no model yet. {_SET_MODEL}", retry_in=5.0)
        return served

    async def _answer(self) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._http.get(f"{self._url}/models") as response,
            ):
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Transient(
                f"{self._url} is not reachable ({error or type(error).__name__}). "
                "Start the model server, or correct OPENAI_BASE_URL"
            ) from error
