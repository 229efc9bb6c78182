"""Who sends a request: the user of its key, or of its token."""

from datetime import UTC, datetime

from services.gateway.access.keys import Keys
from services.gateway.access.ports import Tokens
from services.gateway.http.callers import Caller
from shared.contract.errors import Refused


class KnownCallers:
    """`Callers` of `services.gateway.http.auth`."""

    def __init__(self, keys: Keys, tokens: Tokens | None = None) -> None:
        self._keys = keys
        self._tokens = tokens

    async def caller_of(self, credential: str) -> Caller:
        if self._tokens is not None and self._tokens.is_one(credential):
            return await self._tokens.caller_of(credential)
        caller = self._keys.caller_of(credential, datetime.now(UTC))
        if caller is None:
            raise Refused(
                401,
                "send `Authorization: Bearer <key>` with a valid key: one of API_KEYS, or one that "
                "`pandora keys create` made",
            )
        return caller
