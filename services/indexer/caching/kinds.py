"""Which requests to the indexer are answered from the cache, and which change what others read."""

from typing import Any, Final

from shared.contract.requests import (
    ChangeMemory,
    ClearAnswers,
    DeleteMemories,
    ForgetRows,
    FreshResearch,
    GetPage,
    ImportMessages,
    ListConversations,
    ListSessions,
    ListTurns,
    Request,
    SaveMemory,
    Search,
)

KEPT: Final[dict[type[Request[Any]], str]] = {
    Search: "search",
    FreshResearch: "research",
    GetPage: "research",
    ListTurns: "sessions",
    ListSessions: "sessions",
    ListConversations: "sessions",
}
"""By request: the kind that is counted. Not among them: what a turn asks for (`index.recall`), as the one
before has just changed its session, and memories, whose strength falls with time."""
CHANGES: Final = frozenset(
    {ImportMessages, SaveMemory, ChangeMemory, DeleteMemories, ForgetRows, ClearAnswers}
)
"""Those that change what their user reads."""


def user_of(request: Request[Any]) -> str:
    """Of a request in `KEPT` or `CHANGES`."""
    about: Any = request.order if isinstance(request, ForgetRows) else request
    user: str = about.user
    return user
