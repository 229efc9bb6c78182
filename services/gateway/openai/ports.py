"""What this room needs of others."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Protocol

import msgspec

from shared.contract.requests import Generate, Generated

Part = str | Generated | None
"""New text, the whole answer, or a sign of life."""


class Chat(msgspec.Struct, kw_only=True, frozen=True):
    """The last request whose messages have one hash, or an answer to them: whose session it is."""

    user: str
    session_id: str
    key: str
    """The Idempotency-Key of its turn, drawn by the gateway."""
    request_hash: str
    requested_at: datetime
    is_settled: bool = False
    """The whole answer, or why there is none, was sent to a client that was still there."""
    turn_number: int = 0
    """Of its turn, once that has ended."""
    follows: int | None = None
    """The number of the turn that it goes on from, as that turn has it."""
    is_shared: bool = False
    """Conversations of several sessions begin with these messages. So a request that goes on from here edits
    nothing: it may be the other conversation."""


class KnownChat(msgspec.Struct, frozen=True):
    """A chat as it is stored, and the revision that a write over it has to name."""

    chat: Chat
    revision: int


class Chats(Protocol):
    """The chats of users by the hashes of their messages. Raises Transient."""

    async def find(self, user: str, messages_hash: str) -> KnownChat | None: ...

    async def write(self, messages_hash: str, known: KnownChat) -> int | None:
        """Writes over the revision (0: there is none) and returns the new one.

        Returns None where another gateway was faster.
        """
        ...


class Generations(Protocol):
    """The models of the engine."""

    def generate(self, request: Generate, *, streams: bool) -> AsyncGenerator[Part, None]:
        """Yields text as it comes, where it `streams`, signs of life, and the whole answer last.

        Closed before that, it stops the engine. Raises Refused, and Transient where no engine is there.
        """
        ...
