"""forget.* and what the orchestrator asks of the indexer for it: what was forgotten, store by store."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.events import ForgetRequested, TurnId, User
from shared.replies.request import Request

Store = Literal[
    "turns", "messages", "memories", "research", "points", "documents", "files", "streams", "keys", "caches"
]
ReceiptState = Literal["pending", "forgotten", "erased"]
"""`pending`: under way. `forgotten`: nothing finds or shows it. `erased`: its bytes are gone as well."""


class StoreReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it in one store."""

    store: Store
    removed: int
    """Rows, points, folders, messages of a stream ..."""
    erased: bool = False
    """The bytes are gone from the store's files."""
    remains: str = ""
    """What this store cannot erase itself, and who can."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked to be forgotten, and how far that is."""

    forget_id: str
    user: str
    scope: str
    target: str
    requested_at: datetime
    state: ReceiptState
    erased_by: datetime
    """When the bytes are gone at the latest, where every store is up."""
    stores: list[StoreReceipt] = []
    turns: list[str] = []
    """The turns that are gone; at most a hundred are named."""
    answers: list[str] = []
    """Turns whose answer stood on what is gone: they kept their question and lost the rest."""
    remains: list[str] = []
    """What is out of reach, such as backups, until it expires."""


class GetReceipt(Request[Receipt], frozen=True, kw_only=True):
    """anyone -> indexer: how far a request to forget is; refused with 404 until it has begun."""

    subject: ClassVar[str] = "forget.receipt"

    user: User
    forget_id: str


class ReceiptKept(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt is stored."""


class KeepReceipt(Request[ReceiptKept], frozen=True, kw_only=True):
    """orchestrator -> indexer: how far it is by now."""

    subject: ClassVar[str] = "index.receipt"

    receipt: Receipt


class RowsForgotten(msgspec.Struct, frozen=True, kw_only=True, tag="rows_forgotten"):
    """No search and no list shows them from now on, and nothing that comes late brings them back."""

    stores: list[StoreReceipt]
    memory_ids: list[str]
    """Memories that were made of it, or that it was, and those that the user has forgotten before."""


class ForgetRows(Request[RowsForgotten], frozen=True, kw_only=True):
    """orchestrator -> indexer: notes that it is forgotten, then removes its rows and points."""

    subject: ClassVar[str] = "index.forget"

    order: ForgetRequested


class AnswersCleared(msgspec.Struct, frozen=True, kw_only=True):
    """The answers are empty, and nothing finds them."""


class ClearAnswers(Request[AnswersCleared], frozen=True, kw_only=True):
    """orchestrator -> indexer: removes the answers of turns that keep their question."""

    subject: ClassVar[str] = "index.clear"

    user: User
    turn_ids: list[TurnId]


class RowsErased(msgspec.Struct, frozen=True, kw_only=True, tag="rows_erased"):
    """By store: whether the bytes of what was removed are gone, and what remains."""

    stores: list[StoreReceipt]


class EraseRows(Request[RowsErased], frozen=True, kw_only=True):
    """orchestrator -> indexer: makes the bytes of removed rows and points go. Takes seconds."""

    subject: ClassVar[str] = "index.erase"


class CachesForgotten(msgspec.Struct, frozen=True, kw_only=True):
    """The process holds nothing of it in memory."""


class StillForgetting(msgspec.Struct, frozen=True, kw_only=True, tag="still_forgetting"):
    """A sign of life before the answer to `index.forget` and `index.erase`."""

    seconds: float


class ForgetCached(Request[CachesForgotten], frozen=True, kw_only=True):
    """orchestrator -> every orchestrator: these turns are gone. Nobody waits for the answers."""

    subject: ClassVar[str] = "orchestrator.forget"

    turn_ids: list[TurnId]
