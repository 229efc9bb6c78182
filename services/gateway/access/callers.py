"""Who sends a request: the user of its key."""

from datetime import UTC, datetime

from services.gateway.access.keys import Keys
from services.gateway.http.callers import Caller
from shared.contract.errors import Refused


class KnownCallers:
    """`Callers` of `services.gateway.http.auth`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def caller_of(self, credential: str) -> Caller:
        caller = self._keys.caller_of(credential, datetime.now(UTC))
        if caller is None:
            raise Refused(
                401,
                "send `Authorization: Bearer <key>` with a valid key: one of API_KEYS, or one that "
                "`pandora keys create` made",
            )
        return caller
