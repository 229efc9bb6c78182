"""What a turn needs of memory, in one request. The indexer answers."""

from typing import Annotated, ClassVar

import msgspec

from shared.contract.events import SessionId, User
from shared.contract.requests.inference import Passage
from shared.contract.requests.request import MOST_HITS, Request
from shared.contract.requests.turns import TurnRow


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    passages: list[Passage] = []
    """What has to do with the query, best first: it shares words with it, or means something near."""
    neighbours: list[TurnRow] = []
    """The turns right before and after the best two of them, in their own sessions, by number."""
    turns: list[TurnRow] | None = None
    """The session's last turns, newest first; null where none were asked for."""


class Recall(Request[Recalled], frozen=True, kw_only=True):
    """orchestrator -> indexer: what does memory hold about this, and what did the session say last?

    It leaves out questions whose answer only quoted other turns.
    """

    subject: ClassVar[str] = "index.recall"

    user: User
    query: str
    """What to look for."""
    limit: int = 20
    """Most passages, 1 to 100."""
    session_id: SessionId | None = None
    """The conversation whose last turns are asked for as well."""
    turns: Annotated[int, msgspec.Meta(ge=1, le=MOST_HITS)] = 20
    """Most of those turns."""
