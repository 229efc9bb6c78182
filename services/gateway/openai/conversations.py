"""Which session a chat belongs to, and whether it was sent before."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
from uuid_utils import uuid7

from services.gateway.openai.chat_request import ChatRequest, hash_of_request, hashes_of, with_answer
from services.gateway.openai.ports import Chat, Chats, KnownChat
from services.gateway.openai.session_names import NamedSession
from shared.contract.errors import Transient

_CUT_OFF = timedelta(minutes=10)
"""How long a request whose answer was not sent is known again: OpenAI's clients wait so long."""
_MOST_BEGINNINGS = 64
"""So many beginnings of a conversation are looked for, the longest first. Usually the first one is known."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A chat that has its session and the key of its turn."""

    request: ChatRequest
    seed: str
    """The session that the client named; empty: none."""
    known: KnownChat
    is_repeat: bool = False
    goes_on: bool = False
    """With the turn of an earlier request, that waited for tools of its client."""

    @property
    def chat(self) -> Chat:
        return self.known.chat


class Conversations:
    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._settling: dict[str, asyncio.Task[None]] = {}
        """By the key of the turn. What this gateway has sent and is about to write down."""

    async def claim(
        self, request: ChatRequest, user: str, named: NamedSession | None, *, again: bool
    ) -> Claim:
        """`again`: the client says that it sends a request once more.

        Two gateways that get the same request at the same time give it one key.
        """
        session_id = None if named is None else named.session_id
        seed, request_hash = session_id or "", hash_of_request(request)
        *before, whole = hashes_of(request.messages, seed)
        while True:
            found = await self._chats.find(user, whole)
            now = datetime.now(UTC)
            if found is not None and found.chat.key in self._settling:
                found = KnownChat(_settled(found.chat, found.chat.turn_number), found.revision)
            if found is not None and is_repeat(found.chat, request_hash, now, again=again):
                return Claim(request=request, seed=seed, known=found, is_repeat=True)
            earlier = await self._earlier(user, before)
            chat = Chat(
                user=user,
                session_id=session_id or (earlier.session_id if earlier else str(uuid7())),
                key=f"chat-{uuid7()}",
                request_hash=request_hash,
                requested_at=now,
                follows=followed_by(earlier, named, is_first=not before),
                is_shared=earlier is not None and earlier.is_shared,
            )
            revision = await self._chats.write(whole, KnownChat(chat, found.revision if found else 0))
            if revision is not None:
                return Claim(request=request, seed=seed, known=KnownChat(chat, revision))

    @staticmethod
    def going_on(request: ChatRequest, user: str, named: NamedSession | None, session_id: str) -> Claim:
        """Of a request with the results that a turn of this session waits for. It may be sent repeatedly."""
        seed = "" if named is None else named.session_id or ""
        chat = Chat(user=user, session_id=session_id, key="", request_hash="", requested_at=datetime.now(UTC))
        return Claim(request=request, seed=seed, known=KnownChat(chat, 0), goes_on=True)

    async def answered(self, claim: Claim, turn_number: int, answer: str) -> None:
        """The client is told the answer now. From now on the session is found by the answer, too:
        conversations may begin with the same words."""
        chat = _settled(claim.chat, turn_number)
        continued = hashes_of(with_answer(claim.request.messages, answer), claim.seed)[-1]
        found = await self._chats.find(chat.user, continued)
        if found is not None and found.chat.session_id != chat.session_id:
            chat = msgspec.structs.replace(chat, is_shared=True)
        await self._chats.write(continued, KnownChat(chat, found.revision if found else 0))

    def sent(self, claim: Claim, turn_number: int) -> None:
        """The client was sent the whole outcome. From now on the same request is another turn.

        Called after the last byte: a client whose gateway dies before that sends the request once more, and
        must find its turn. It is written down while no client waits.
        """
        key = claim.chat.key
        if key not in self._settling and not claim.goes_on:
            self._settling[key] = task = asyncio.create_task(self._settle(claim, turn_number))
            task.add_done_callback(lambda _: self._settling.pop(key))

    async def _settle(self, claim: Claim, turn_number: int) -> None:
        whole = hashes_of(claim.request.messages, claim.seed)[-1]
        with suppress(Transient):  # Within `_CUT_OFF` the same request is the same turn then.
            await self._chats.write(whole, KnownChat(_settled(claim.chat, turn_number), claim.known.revision))

    async def _earlier(self, user: str, beginnings: Sequence[str]) -> Chat | None:
        """The chat of the longest known beginning."""
        for messages_hash in beginnings[: -_MOST_BEGINNINGS - 1 : -1]:
            if (found := await self._chats.find(user, messages_hash)) is not None:
                return found.chat
        return None


def _settled(chat: Chat, turn_number: int) -> Chat:
    return msgspec.structs.replace(chat, is_settled=True, turn_number=turn_number)


def followed_by(earlier: Chat | None, named: NamedSession | None, *, is_first: bool) -> int | None:
    """Returns the number of the turn that a chat goes on from; 0: from none; None: from the session's last.

    `earlier`: the chat of the longest known beginning. `is_first`: no message comes before the new one.
    """
    if earlier is not None:
        return None if earlier.is_shared else earlier.turn_number or None
    return 0 if is_first and named is not None and named.is_whole else None


def is_repeat(chat: Chat, request_hash: str, now: datetime, *, again: bool) -> bool:
    if chat.request_hash != request_hash:
        return False
    return again or (not chat.is_settled and now - chat.requested_at < _CUT_OFF)
