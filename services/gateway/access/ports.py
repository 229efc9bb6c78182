"""What the room needs of others."""

from typing import Protocol

from services.gateway.http.callers import Caller


class Tokens(Protocol):
    """Finds the caller that a token of a provider speaks of."""

    def is_one(self, credential: str) -> bool: ...
    async def caller_of(self, token: str) -> Caller:
        """Raises Refused (401), and Transient where the provider never answered."""
        ...
