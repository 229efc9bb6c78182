"""Which session a client names: its header or field, or what stock clients send in their place."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from shared.contract.errors import Refused
from shared.contract.events import SessionId

SESSION_HEADER: Final = "X-Pandora-Session"
CHAT_HEADER: Final = "X-OpenWebUI-Chat-Id"
_PASSING_CHAT: Final = "local:"
"""How the ids of Open WebUI's temporary chats begin. All of one browser tab have the same id."""
_CONVERSATION: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
"""A ULID, as Home Assistant draws one for each conversation."""
_TAKES: Final = "takes 1 to 128 letters, digits and _ . : -"


class NamedSession(msgspec.Struct, frozen=True):
    session_id: str
    is_whole: bool = False
    """The client sends the whole conversation each time. So a request without earlier messages begins it
    anew."""


def session_named(
    headers: Mapping[str, str],
    *,
    session_id: str | None = None,
    prompt_cache_key: str | None = None,
    user: str | None = None,
) -> NamedSession | None:
    """Returns the session that a request names. `headers`: by their names in small letters.

    The fields are those of the body. The first in this order counts: the header X-Pandora-Session,
    `session_id`, Open WebUI's chat, `prompt_cache_key`, and `user` where it is a conversation of Home
    Assistant. Raises Refused for a header that cannot be a session's name.
    """
    if named := headers.get(SESSION_HEADER.lower()):
        return NamedSession(_checked(named, SESSION_HEADER))
    if session_id:
        return NamedSession(session_id)
    chat = headers.get(CHAT_HEADER.lower())
    if chat and not chat.startswith(_PASSING_CHAT):
        return NamedSession(_checked(chat, CHAT_HEADER), is_whole=True)
    if prompt_cache_key:
        return NamedSession(_from_any_text(prompt_cache_key))
    if user and _CONVERSATION.fullmatch(user):
        return NamedSession(user)
    return None


def _checked(name: str, header: str) -> str:
    try:
        return msgspec.convert(name, SessionId)
    except msgspec.ValidationError as error:
        raise Refused(422, f"{header} {_TAKES}", header) from error


def _from_any_text(key: str) -> str:
    """The key where it can be a session's name, else a hash of it."""
    try:
        return msgspec.convert(key, SessionId)
    except msgspec.ValidationError:
        return f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
