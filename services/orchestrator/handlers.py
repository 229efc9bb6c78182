"""The life of a turn, from `turn.requested` to its one outcome, and questions about ended turns."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from services.orchestrator.domain.documents import MEDIA_TYPES, METADATA
from services.orchestrator.domain.recipes import RECIPES, PhaseName, Recipe
from services.orchestrator.domain.turn import PhaseRun, Turn, saved_event
from services.orchestrator.phases.gather import gather
from services.orchestrator.phases.save import save, write_down
from services.orchestrator.phases.synthesis import synthesis
from services.orchestrator.phases.tools import Phase, Tools
from services.orchestrator.ports import Documents
from services.orchestrator.sessions import SessionLocks
from shared import metrics
from shared.deliveries import Delivery
from shared.errors import Refused, Transient
from shared.events import (
    Cancelled,
    Event,
    Failed,
    OutputRestarted,
    PhaseEnded,
    PhaseStarted,
    Queued,
    Saved,
    TurnCancelled,
    TurnFailed,
    TurnRequested,
    Usage,
    decode,
)
from shared.replies import (
    Document,
    DocumentsReply,
    GetDocument,
    GetTurn,
    ListDocuments,
    Recipes,
    RecipesReply,
    TurnRecord,
)
from shared.tracing import tracer

log = logging.getLogger(__name__)
PHASES: dict[PhaseName, Phase] = {"gather": gather, "synthesis": synthesis, "save": save}


class Orchestrator:
    """Runs turns. One turn of a session at a time; different sessions side by side."""

    def __init__(self, tools: Tools, *, turn_timeout_seconds: float) -> None:
        self._tools = tools
        self._timeout = turn_timeout_seconds
        self._sessions = SessionLocks()

    async def on_turn_requested(self, request: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        """`delivery.sequence` is the turn's number: the stream gives it once and never again."""
        if (ended := await read_record(self._tools.documents, request.turn_id)) is not None:
            return [_outcome(ended)]  # Redelivered after its folder was written: only the event is missing.
        turn = Turn(
            request=request,
            turn_number=delivery.sequence,
            requested_at=delivery.stored_at,
            started_at=self._tools.clock(),
        )
        turn = await self._announce_start(turn, delivery)
        async with self._sessions.held(request.user, request.session_id):
            turn = msgspec.structs.replace(turn, started_at=self._tools.clock())
            metrics.turn_queue_seconds.observe(
                max(0.0, (turn.started_at - turn.requested_at).total_seconds())
            )
            with metrics.turns_running.track_inprogress():
                return [await self._run(turn, is_last=delivery.is_last)]

    async def _announce_start(self, turn: Turn, delivery: Delivery) -> Turn:
        if delivery.attempt == 1:
            return await self._tools.announce(turn, Queued, user=turn.request.user, **_names(turn))
        # What the last attempt sent is with the readers: go on behind it, and say that it is void.
        turn = await self._behind_all_that_was_sent(turn)
        return await self._tools.announce(turn, OutputRestarted)

    async def _behind_all_that_was_sent(self, turn: Turn) -> Turn:
        free = await self._tools.announcements.next_index(turn.turn_id)
        return msgspec.structs.replace(turn, next_index=max(turn.next_index, free))

    async def _run(self, turn: Turn, *, is_last: bool) -> Event:
        """Ends in exactly one outcome. What is only away for a while is raised, and the turn comes again."""
        recipe = RECIPES.get(turn.request.recipe)
        if recipe is None:
            known = ", ".join(RECIPES)
            return await self._fail(turn, "unknown_recipe", f"{turn.request.recipe!r}; known are: {known}")
        try:
            async with asyncio.timeout(self._timeout), aclosing(self._steps(turn, recipe)) as steps:
                async for step in steps:
                    turn = step  # Where a phase fails, the turn stands at the last step.
        except TimeoutError:
            return await self._fail(turn, "timeout", f"not ended within {self._timeout:g} s")
        except Refused as refusal:
            return await self._fail(turn, "refused", refusal.detail)
        except Transient as error:
            if not is_last:
                raise
            return await self._fail(turn, "unavailable", str(error))
        return await (self._cancel(turn) if turn.was_aborted else self._finish(turn))

    async def _finish(self, turn: Turn) -> Event:
        record = turn.record
        if record is None:
            raise RuntimeError(f"recipe {turn.request.recipe} did not save turn {turn.turn_number}")
        await self._tools.announce(
            turn,
            Saved,
            output=record.output,
            sources=record.sources,
            usage=record.usage,
            model=record.model,
            **_names(turn),
        )
        return self._ended(turn, record)

    async def _cancel(self, turn: Turn) -> Event:
        """Somebody stopped the engine: what was generated is kept, and the turn is never `turn.saved`."""
        record = await write_down(turn, "cancelled", self._tools)
        await self._tools.announce(turn, Cancelled, **_names(turn))
        return self._ended(turn, record)

    async def _fail(self, turn: Turn, reason: str, detail: str) -> Event:
        log.warning("turn %d failed: %s: %s", turn.turn_number, reason, detail)
        turn = await self._behind_all_that_was_sent(turn)
        record = await write_down(turn, "failed", self._tools, error=f"{reason}: {detail}")
        await self._tools.announce(turn, Failed, reason=reason, detail=detail, **_names(turn))
        return self._ended(turn, record)

    def _ended(self, turn: Turn, record: TurnRecord) -> Event:
        metrics.turns.labels(record.status).inc()
        metrics.turn_seconds.labels(record.status).observe(
            (self._tools.clock() - turn.started_at).total_seconds()
        )
        return _outcome(record)

    async def _steps(self, turn: Turn, recipe: Recipe) -> AsyncGenerator[Turn, None]:
        """The turn after the start and after the end of each phase, up to the one that was aborted."""
        for name in recipe.phases[turn.next_phase :]:
            turn = await self._tools.announce(turn, PhaseStarted, phase=name)
            yield turn
            started_at = self._tools.clock()
            with tracer.start_as_current_span(name), metrics.timed(metrics.phase_seconds.labels(name)):
                turn = await PHASES[name](turn, self._tools)
            run = PhaseRun(
                phase=name,
                started_at=started_at,
                seconds=(self._tools.clock() - started_at).total_seconds(),
                model=turn.model if name == "synthesis" else None,
                usage=turn.usage if name == "synthesis" else Usage(),
            )
            turn = msgspec.structs.replace(turn, phases=[*turn.phases, run], next_phase=turn.next_phase + 1)
            turn = await self._tools.announce(turn, PhaseEnded, phase=name, seconds=run.seconds)
            yield turn
            if turn.was_aborted:
                return


class Archive:
    """Answers questions about ended turns from their documents."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def get_turn(self, request: GetTurn) -> TurnRecord:
        record = await read_record(self._documents, request.turn_id)
        if record is None or record.user != request.user:
            # The same answer for a missing turn and for another user's: it must not be told apart.
            raise Refused(404, f"there is no ended turn {request.turn_id}")
        return record

    async def list_documents(self, request: ListDocuments) -> DocumentsReply:
        await self.get_turn(GetTurn(user=request.user, turn_id=request.turn_id))
        return DocumentsReply(names=await self._documents.names(request.turn_id))

    async def get_document(self, request: GetDocument) -> Document:
        names = (await self.list_documents(ListDocuments(user=request.user, turn_id=request.turn_id))).names
        text = await self._documents.read(request.turn_id, request.name) if request.name in names else None
        if text is None:
            raise Refused(
                404, f"turn {request.turn_id} has no document {request.name!r}; it has {names}", "name"
            )
        suffix = request.name[request.name.rfind(".") :]
        return Document(name=request.name, media_type=MEDIA_TYPES.get(suffix, "text/plain"), text=text)

    async def recipes(self, request: Recipes) -> RecipesReply:
        return RecipesReply(names=list(RECIPES))


async def read_record(documents: Documents, turn_id: str) -> TurnRecord | None:
    text = await documents.read(turn_id, METADATA)
    return None if text is None else decode(TurnRecord, text.encode())


def _outcome(record: TurnRecord) -> Event:
    names: dict[str, Any] = {
        "turn_id": record.turn_id,
        "turn_number": record.turn_number,
        "session_id": record.session_id,
        "user": record.user,
    }
    if record.status == "saved":
        return saved_event(record)
    if record.status == "cancelled":
        return TurnCancelled(cancelled_at=record.ended_at, **names)
    reason, _, detail = (record.error or "").partition(": ")
    return TurnFailed(reason=reason, detail=detail, failed_at=record.ended_at, **names)


def _names(turn: Turn) -> dict[str, Any]:
    """What every last event says of its turn."""
    return {
        "turn_id": turn.turn_id,
        "turn_number": turn.turn_number,
        "session_id": turn.request.session_id,
    }
