"""Wires what takes turns from the queue, runs them, and answers for those that have not ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from uuid_utils import uuid7

from services.orchestrator.app.background import Start
from services.orchestrator.app.phases import time_limits
from services.orchestrator.app.stores import Stores
from services.orchestrator.phases.deps import Deps
from services.orchestrator.queue.declaration import declare
from services.orchestrator.queue.nats import join
from services.orchestrator.queue.nats_leases import BusLeases
from services.orchestrator.queue.places import Pace, Places
from services.orchestrator.queue.turn_lease import TurnLease
from services.orchestrator.queue.turn_queue import TurnQueue
from services.orchestrator.recipes.nats import WatchedSessionRecipes
from services.orchestrator.recipes.ports import RecipeOfSession
from services.orchestrator.running.checkpoints import Checkpoints
from services.orchestrator.running.controls import AskHolder, Controls
from services.orchestrator.running.current_turns import CurrentTurns
from services.orchestrator.running.dispatcher import Dispatcher, MakeRun
from services.orchestrator.running.effects import Effects
from services.orchestrator.running.nats import BusAnnouncements, BusOutcomes
from services.orchestrator.running.places import place_announcer
from services.orchestrator.running.run import TurnRun
from services.orchestrator.running.unclaimed import UnclaimedTurns
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.turn.run_state import run_state
from services.orchestrator.turn.state import Turn
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint_of
from shared.contract.events import TurnRequested
from shared.contract.requests import Control, ControlHere, Controlled


@dataclass(frozen=True)
class Turns:
    """The turns of this process, and what it knows of the others'."""

    dispatcher: Dispatcher
    places: Places[TurnRequested]
    current: CurrentTurns
    controls: Controls


async def open_turns(
    bus: Bus, settings: OrchestratorSettings, stores: Stores, deps: Deps, start: Start
) -> Turns:
    """Returns when this process knows the queue. Nothing of it is taken yet."""
    queue = TurnQueue[TurnRequested](f"{uuid7()}", BusLeases(bus))
    pace = Pace(settings.orchestrator_concurrency)
    announcements = BusAnnouncements(bus)
    unclaimed = UnclaimedTurns(deps, announcements, BusOutcomes(bus))
    session_recipes = WatchedSessionRecipes(bus, missing=declaring(bus, settings, stores))
    start(session_recipes.run())
    dispatcher = Dispatcher(
        queue,
        _making_runs(bus, settings, deps, announcements, session_recipes),
        unclaimed,
        stores.documents,
        deps.clock,
        pace,
        concurrency=settings.orchestrator_concurrency,
        until_room=settings.disk.until_room,
    )
    places = Places(queue, pace, place_announcer(announcements))
    turns = await join(bus, queue, declare=declaring(bus, settings, stores), start=start)
    current = CurrentTurns(queue, places, stores.documents, turns.is_behind)
    controls = Controls(dispatcher, current, stores.documents, unclaimed, _asking_holders(bus))
    await bus.listen(
        ControlHere(holder=queue.own, turn_id="own", control=Control(user="-", action="cancel")).address(),
        endpoint_of(controls.control_here),
    )
    return Turns(dispatcher, places, current, controls)


def _asking_holders(bus: Bus) -> AskHolder:
    async def ask_holder(holder: str, request: Control) -> Controlled:
        return await bus.ask(ControlHere(holder=holder, turn_id=request.turn_id, control=request))

    return ask_holder


def declaring(bus: Bus, settings: OrchestratorSettings, stores: Stores) -> Callable[[], Awaitable[None]]:
    async def declare_streams() -> None:
        await declare(
            bus,
            stores.documents,
            queue_limit=settings.queue_limit_turns,
            replicas=settings.nats_replicas,
        )

    return declare_streams


def _making_runs(
    bus: Bus,
    settings: OrchestratorSettings,
    deps: Deps,
    announcements: BusAnnouncements,
    session_recipes: RecipeOfSession,
) -> MakeRun:
    outcomes, limits = BusOutcomes(bus), time_limits(settings)

    def make_run(turn: Turn, lease: TurnLease[TurnRequested], has_waited: bool) -> TurnRun:
        effects = Effects(deps, announcements, session_recipes, outcomes, Checkpoints(lease))
        return TurnRun(run_state(turn, limits, has_waited=has_waited), effects)

    return make_run
