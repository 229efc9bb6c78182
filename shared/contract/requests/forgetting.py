"""How far a request to forget is, and what the orchestrator asks of the others to fulfil it."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.contract.events import ForgetRequested, TurnId, User
from shared.contract.requests.request import Request

Store = Literal[
    "turns", "messages", "memories", "research", "points", "documents", "files", "streams", "keys", "caches"
]
ReceiptState = Literal["pending", "forgotten", "erased"]


class StoreReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one store has removed."""

    store: Store
    """Which store."""
    removed: int
    """Rows, points, folders, messages of a stream ..."""
    erased: bool = False
    """True where the bytes are gone from the store's files."""
    remains: str = ""
    """What this store cannot erase itself, and who can."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked to be forgotten, and how far that is."""

    forget_id: str
    """As in `forget.requested`."""
    user: str
    """The owner."""
    scope: str
    """`turn`, `session`, `memory` or `user`."""
    target: str
    """The id of the turn, session or memory."""
    requested_at: datetime
    """When it was asked for."""
    state: ReceiptState
    """`pending`: under way. `forgotten`: nothing finds or shows it. `erased`: its bytes are gone as well."""
    erased_by: datetime
    """When the bytes are gone at the latest, where every store is up."""
    stores: list[StoreReceipt] = []
    """What was removed, store by store."""
    turns: list[str] = []
    """The turns that are gone. At most a hundred are named."""
    answers: list[str] = []
    """Turns whose answer stood on what is gone: they kept their question and lost the rest."""
    remains: list[str] = []
    """What is out of reach until it expires, such as backups."""


class UnerasedReply(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts in the state `forgotten`, by `forget_id`."""

    receipts: list[Receipt]
    """At most fifty."""
    more: bool
    """True: ask again, with the last one's `forget_id`."""
    since: datetime | None = None
    """Since when any store has bytes of what is forgotten. Null: none has."""


class Unerased(Request[UnerasedReply], frozen=True, kw_only=True):
    """orchestrator -> indexer: whose bytes are not erased yet, over all users?"""

    subject: ClassVar[str] = "index.unerased"

    after: str = ""
    """The last `forget_id` of the page before."""


class KnownEventsReply(msgspec.Struct, frozen=True, kw_only=True):
    """Since when the indexer knows where a stream holds which event."""

    since: dict[str, int]
    """By stream: each event that it took has this number or a higher one, or came before it knew. A stream
    that is missing here has no known event."""


class KnownEvents(Request[KnownEventsReply], frozen=True, kw_only=True):
    """orchestrator -> indexer: which stored events do you erase from their streams by yourself?

    All that you take, from these numbers on. Earlier ones have to be looked for.
    """

    subject: ClassVar[str] = "index.known"


class GetReceipt(Request[Receipt], frozen=True, kw_only=True):
    """anyone, orchestrator -> indexer: how far a request to forget is.

    Refused with 404 until the work has begun.
    """

    subject: ClassVar[str] = "forget.receipt"

    user: User
    forget_id: str
    """As in `forget.requested`."""


class ReceiptKept(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt is stored."""


class KeepReceipt(Request[ReceiptKept], frozen=True, kw_only=True):
    """orchestrator -> indexer: how far it is by now. Stored next to the request."""

    subject: ClassVar[str] = "index.receipt"

    receipt: Receipt
    """It takes the place of the one before."""


class StillForgetting(msgspec.Struct, frozen=True, kw_only=True, tag="still_forgetting"):
    """A sign of life before the answer."""

    seconds: float
    """Since the work began."""


class RowsForgotten(msgspec.Struct, frozen=True, kw_only=True, tag="rows_forgotten"):
    """No search and no list shows them from now on, and nothing that comes late brings them back."""

    stores: list[StoreReceipt]
    """Turns, messages, memories and points that were removed."""
    memory_ids: list[str]
    """Memories that are forgotten: those of this request, and those of the user's earlier ones."""


class ForgetRows(Request[RowsForgotten], frozen=True, kw_only=True):
    """orchestrator -> indexer: note that it is forgotten, then remove its rows and points.

    What comes late is compared with the note and not stored. Asked again, the indexer removes what has come
    in between.
    """

    subject: ClassVar[str] = "index.forget"
    sign_of_life: ClassVar[type[msgspec.Struct]] = StillForgetting

    order: ForgetRequested
    """The body of `forget.requested`."""


class AnswersCleared(msgspec.Struct, frozen=True, kw_only=True):
    """The answers are empty, and nothing finds them."""


class ClearAnswers(Request[AnswersCleared], frozen=True, kw_only=True):
    """orchestrator -> indexer: remove the answers of turns that keep their question."""

    subject: ClassVar[str] = "index.clear"

    user: User
    turn_ids: list[TurnId]
    """The turns."""


class RowsErased(msgspec.Struct, frozen=True, kw_only=True, tag="rows_erased"):
    """Whether the bytes are gone."""

    stores: list[StoreReceipt]
    """By store: whether the bytes are gone, and what remains."""


class EraseRows(Request[RowsErased], frozen=True, kw_only=True):
    """orchestrator -> indexer: make the bytes of forgotten rows and points go, of all users. Takes seconds.

    Only tables and collections that something was removed from are written anew.
    """

    subject: ClassVar[str] = "index.erase"
    sign_of_life: ClassVar[type[msgspec.Struct]] = StillForgetting


class CachesForgotten(msgspec.Struct, frozen=True, kw_only=True):
    """The process has nothing of it in memory."""


class ForgetCached(Request[CachesForgotten], frozen=True, kw_only=True):
    """orchestrator -> orchestrator: these turns are gone from every store. Remove them from memory.

    Sent to all orchestrators at once. The sender does not wait for answers. Internal: it may change with
    any version.
    """

    subject: ClassVar[str] = "orchestrator.forget"
    to_all: ClassVar[bool] = True

    turn_ids: list[TurnId]
    """At most 1,000."""
