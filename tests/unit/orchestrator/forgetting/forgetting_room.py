"""Everything that forgetting asks, over real documents."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.rendering import CONTEXT, EVENTS, METADATA, RESPONSE
from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.forgetting.erasing import Erasing
from services.orchestrator.forgetting.steps import Forgetting
from services.orchestrator.forgetting.unended_turns import UnendedTurns
from services.orchestrator.images.folder import FolderFiles
from services.orchestrator.images.pillow import read_image
from services.orchestrator.queue.item import Item, SessionKey
from services.orchestrator.running.claimed import QueuedTurn
from services.orchestrator.turn.state import Turn
from shared.contract.errors import Refused, Transient
from shared.contract.events import ForgetRequested, ForgetScope, Source, SourcesFound, TurnRequested, encode
from shared.contract.requests import (
    AnswersCleared,
    ClearAnswers,
    Control,
    Controlled,
    EraseRows,
    FindUnended,
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    Receipt,
    ReceiptKept,
    RowsErased,
    RowsForgotten,
    StoreReceipt,
    TurnRecord,
    UnendedTurn,
    Unerased,
    UnerasedReply,
)
from tests.unit.samples import AT, requested

LATER = AT + timedelta(hours=1)
SECRET = "oblongata"


class Crash(Transient):
    """The process ends here, and the request is delivered again."""


class BreakingFiles(FolderFiles):
    """Each removal is a step that may break off."""

    world: "World"

    async def remove(self, user: str, file_ids: Collection[str]) -> int:
        if not file_ids:
            return 0
        self.world.step("files")
        return await super().remove(user, file_ids)


class World:
    """Everything that forgetting asks. Raises Crash before the step number `breaks_at`."""

    def __init__(self, documents: FolderDocuments, folder: Path) -> None:
        self.documents = documents
        self.now = AT
        self.files = BreakingFiles(folder / "files", read_image, lambda: self.now)
        self.files.world = self
        self.steps: list[str] = []
        self.breaks_at = -1
        self.receipts: dict[str, Receipt] = {}
        self.cleared: list[str] = []
        self.memory_ids: list[str] = []
        self.traces: set[str] = set()
        self.told: set[str] = set()
        self.running: dict[str, Any] = {}
        """By turn, a function that is called at each look; it returns whether the turn has ended."""
        self.checkpoints: dict[str, Turn] = {}
        """Of turns that wait for a person."""
        self.cancelled: list[str] = []
        self.ends: Callable[[str], Awaitable[None]] | None = None
        """Called for a cancelled turn: writes its documents."""
        self.is_reading: list[bool] = []
        """The next answers to `is_behind`."""

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) - 1 == self.breaks_at:
            raise Crash(f"before {name}")

    # --- the indexer ---

    async def ask(self, request: Any) -> Any:
        match request:
            case GetReceipt():
                if request.forget_id not in self.receipts:
                    raise Refused(404, "not yet")
                return self.receipts[request.forget_id]
            case Unerased():
                waiting = [one for _, one in sorted(self.receipts.items()) if one.state == "forgotten"]
                since = min((one.requested_at for one in waiting), default=None)
                page = [one for one in waiting if one.forget_id > request.after][:1]
                return UnerasedReply(
                    receipts=page, more=bool(page) and page[-1] is not waiting[-1], since=since
                )
            case KeepReceipt():
                self.step(f"keep {request.receipt.state}")
                self.receipts[request.receipt.forget_id] = request.receipt
                return ReceiptKept()
            case ForgetRows():
                self.step("rows")
                return RowsForgotten(
                    stores=[StoreReceipt(store="turns", removed=0)], memory_ids=self.memory_ids
                )
            case ClearAnswers():
                self.step("clear")
                self.cleared += request.turn_ids
                return AnswersCleared()
            case EraseRows():
                self.step("erase rows")
                return RowsErased(stores=[StoreReceipt(store="turns", removed=0, erased=True)])
        raise AssertionError(request)

    # --- the streams ---

    async def remove(self, order: ForgetRequested, forgotten: Forgotten, also: Sequence[str]) -> int:
        self.step("traces")
        self.traces |= {*forgotten.turn_ids, *also}
        return 0

    async def forget(self, order: ForgetRequested) -> int:
        self.step("keys")
        return 0

    async def erase(self) -> None:
        self.step("erase streams")

    async def announce(self, turn_ids: Sequence[str]) -> None:
        self.step("announce")
        self.told |= set(turn_ids)

    # --- the turns ---

    async def is_behind(self) -> bool:
        return self.is_reading.pop() if self.is_reading else False

    def of_user(self, user: str) -> list[QueuedTurn]:
        for turn_id, looks in list(self.running.items()):
            if looks is not None and looks():
                del self.running[turn_id]
        return [
            Item(number=9, request=self.request_of(turn_id, user), requested_at=AT, seen_at=0.0)
            for turn_id in self.running
        ]

    def request_of(self, turn_id: str, user: str) -> TurnRequested:
        waits = self.checkpoints.get(turn_id)
        return requested(turn_id, user=user) if waits is None else waits.request

    def running_of_user(self, user: str) -> set[str]:
        return set(self.running)

    async def find_unended(self, request: FindUnended) -> UnendedTurn:
        if request.turn_id not in self.running:
            raise Refused(404, "it has ended")
        return UnendedTurn(
            turn_id=request.turn_id,
            turn_number=9,
            session_id="kitchen",
            user=request.user,
            status="waiting" if request.turn_id in self.checkpoints else "running",
            input="Hello",
            requested_at=AT,
        )

    async def turn_of(self, session: SessionKey) -> Turn | None:
        found = [
            one for one in self.checkpoints.values() if (one.request.user, one.request.session_id) == session
        ]
        return found[0] if found else None

    async def control(self, request: Control) -> Controlled:
        self.step("cancel")
        self.cancelled.append(request.turn_id)
        if self.ends is not None:
            await self.ends(request.turn_id)
        del self.running[request.turn_id]
        return Controlled(turn_id=request.turn_id, found="running", done=True)


def erasing_of(world: World, *, hours: float = 24) -> Erasing:
    return Erasing(world, world, lambda: world.now, hours=hours)


def order_of(
    scope: ForgetScope, target: str = "", *, forget_id: str = "f1", user: str = "alice", **more: Any
) -> ForgetRequested:
    fields: dict[str, Any] = {"requested_at": LATER, "now": True, **more}
    return ForgetRequested(forget_id=forget_id, user=user, scope=scope, target=target, **fields)


async def forget(
    world: World, scope: ForgetScope, target: str = "", *, at: datetime = LATER, now: bool = True
) -> Receipt:
    """Tries again after each crash."""
    await forget_all(world, [order_of(scope, target, requested_at=at, now=now)])
    return world.receipts["f1"]


async def forget_all(world: World, orders: Sequence[ForgetRequested]) -> None:
    """Tries again after each crash."""
    while True:
        forgetting = Forgetting(
            world,
            UnendedTurns(world, world),
            world.documents,
            world.files,
            world,
            world,
            erasing_of(world),
            lambda: LATER,
        )
        try:
            await forgetting.on_forget_requested(orders)
        except Transient:
            continue
        return


def source(number: int, **more: Any) -> Source:
    fields: dict[str, Any] = {
        "id": f"t{number}",
        "turn_id": f"t{number}",
        "session_id": "kitchen",
        "at": AT,
        "quote": SECRET,
        **more,
    }
    return Source(score=0.5, **fields)


async def write(documents: FolderDocuments, one: TurnRecord, found: Sequence[Source] = ()) -> None:
    event = SourcesFound(index=1, sources=list(found))
    await documents.write(
        one.turn_number,
        one.turn_id,
        {
            CONTEXT: f"{one.input} {[each.quote for each in found]}",
            RESPONSE: one.output,
            METADATA: encode(one).decode(),
            EVENTS: f"{encode(event).decode()}\n",
        },
    )


def all_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def files_with_it(folder: Path) -> list[Path]:
    return [path for path in all_in(folder) if path.is_file() and SECRET.encode() in path.read_bytes()]
