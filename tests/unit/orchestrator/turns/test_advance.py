"""Every order of what can happen to a turn: the promises of docs/delivery.md hold in each."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from services.orchestrator.recipes.recipe import Bounds, Recipe
from services.orchestrator.turn.commands import ChooseRecipe
from services.orchestrator.turn.run_state import Over
from services.orchestrator.turn.signals import (
    Broken,
    CancelAsked,
    DecisionAsked,
    Failed,
    Failure,
    LeaseLost,
    PhaseCut,
    Signal,
    SteeringAsked,
    Stopped,
    TimeUp,
    WhyStoppedHere,
)
from tests.unit.orchestrator.turns.turn_process import Process
from tests.unit.orchestrator.turns.turn_steps import (
    can_end,
    can_step,
    can_stream,
    end_phase,
    runs,
    step,
    step_of_coordinate,
    stream,
)
from tests.unit.orchestrator.turns.turn_world import World

MOST_STEPS, MOST_STEPS_AT_FIRST = 2_000, 60
PHASES = ["analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation", "save"]
RECIPES = {
    "direct": ["gather", "synthesis", "save"],
    "standard": PHASES,
    "held back": PHASES,
}
FAILURES = [
    Failure("unavailable", "the engine is away", 0.1),
    Failure("unavailable", "the server asks to wait", 12.5),
    Failure("internal", "ValueError()", 1.0),
    Failure("refused", "the prompt is too long"),
]


RARELY = st.sampled_from([False, False, False, True])
"""What ends a run at once would leave little to look at."""


class TurnMachine(RuleBasedStateMachine):
    """Each rule is one thing that can happen. In the end, what is left to do is done: the turn must end."""

    world: World

    @initialize(data=st.data(), recipe=st.sampled_from(sorted(RECIPES)), phase=st.sampled_from(PHASES))
    def the_first_turn_begins(self, data: st.DataObject, recipe: str, phase: str) -> None:
        self.begin(data, recipe, phase)

    def begin(self, data: st.DataObject, recipe: str, phase: str) -> None:
        """In some phase, where the turn comes to it."""
        phases: Any = RECIPES[recipe]
        hold_back, bounds = recipe == "held back", Bounds(rounds=2)
        self.world = World(
            Recipe(phases=phases, tools=["memory.*"], hold_back=hold_back, bounds=bounds),
            is_fast=data.draw(st.booleans()),
        )
        process = self.world.take()
        for _ in range(MOST_STEPS_AT_FIRST):
            if process.state.phase == phase or not can_step(process):
                break
            step(self.world, process, lambda choices: data.draw(st.sampled_from(choices)))
        self.the_turn_goes_on(data, data.draw(st.integers(0, 3)))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            finish(self.world)

    # --- what the processes do ---

    @precondition(lambda self: self.world.is_free)
    @rule(data=st.data(), recipe=st.sampled_from(sorted(RECIPES)), phase=st.sampled_from(PHASES))
    def another_turn_begins(self, data: st.DataObject, recipe: str, phase: str) -> None:
        finish(self.world)
        self.begin(data, recipe, phase)

    @rule(data=st.data(), steps=st.integers(1, 8))
    def some_steps_go_well(self, data: st.DataObject, steps: int) -> None:
        self.the_turn_goes_on(data, steps)

    def the_turn_goes_on(self, data: st.DataObject, steps: int) -> None:
        for _ in range(steps):
            if process := self._any(data, can_step):
                step(self.world, process, lambda choices: data.draw(st.sampled_from(choices)))

    @rule(data=st.data())
    def something_that_waits_is_done(self, data: st.DataObject) -> None:
        """In any order, also by a process that does not have the lease any more."""
        process = self._any(data, lambda process: bool(process.effects or process.timers))
        if process is None:
            return
        number = data.draw(st.integers(0, len(process.effects) + len(process.timers) - 1))
        if number < len(process.effects):
            self.world.perform(process, process.effects[number])
        else:
            self.world.send(process, process.timers.pop(number - len(process.effects)))

    @rule(data=st.data())
    def a_lease_is_written(self, data: st.DataObject) -> None:
        if process := self._any(data, lambda process: bool(process.lease_writes)):
            self.world.write_lease(process)

    @rule(data=st.data(), failure=st.sampled_from(FAILURES), happens=RARELY)
    def an_effect_fails(self, data: st.DataObject, failure: Failure, happens: bool) -> None:
        process = self._any(data, lambda process: bool(process.effects))
        if process is not None and happens:
            effect = data.draw(st.sampled_from(process.effects))
            process.effects.remove(effect)
            can_fail = isinstance(effect, ChooseRecipe)
            self.world.send(process, Failed(failure) if can_fail else Broken("ValueError()"))

    @rule(data=st.data())
    def a_phase_says_something(self, data: st.DataObject) -> None:
        if process := self._any(data, can_stream):
            stream(self.world, process, data.draw(st.lists(st.sampled_from(["In ", "Lisbon. "]), max_size=3)))

    @rule(data=st.data())
    def a_tool_is_called(self, data: st.DataObject) -> None:
        if process := self._any(data, lambda process: runs(process, "coordinate")):
            step_of_coordinate(self.world, process)

    @rule(data=st.data())
    def a_phase_ends(self, data: st.DataObject) -> None:
        if process := self._any(data, can_end):
            end_phase(self.world, process, lambda choices: data.draw(st.sampled_from(choices)))

    @rule(data=st.data(), how=st.sampled_from([*map(Failed, FAILURES), PhaseCut(), TimeUp(1e12)]))
    def a_phase_does_not_come_to_its_end(self, data: st.DataObject, how: Signal) -> None:
        process = self._any(data, lambda process: process.phase is not None)
        if process is None:
            return
        if isinstance(how, TimeUp):
            self.world.send(process, how)
        elif isinstance(how, Failed) or process.is_cut:
            self.world.break_off(process, how)

    # --- what others do to the turn ---

    @rule(
        data=st.data(),
        ask=st.sampled_from(["cancel", "steer", "steer", "steer", "approve", "deny", "result", "stop"]),
        is_kept=st.sampled_from([True, True, False]),
    )
    def somebody_asks(self, data: st.DataObject, ask: str, is_kept: bool) -> None:
        process = self._any(data)
        match ask:
            case _ if process is None:
                return
            case "cancel":
                self.world.ask(process, CancelAsked)
            case "steer":
                self.world.ask(process, SteeringAsked, text=f"text {self.world.now:%H:%M:%S}")
            case "approve" | "deny":
                self.world.ask(process, DecisionAsked, call="", answer=ask == "approve")
            case "result":
                keys = sorted(process.calls) or ["9.z"]
                self.world.ask(
                    process, DecisionAsked, call=data.draw(st.sampled_from(keys)), answer="It rains."
                )
            case _:
                why: WhyStoppedHere = data.draw(st.sampled_from(["interrupted", "replaced", "handed_back"]))
                self.world.send(process, Stopped(why))
        while is_kept and process.lease_writes:
            self.world.write_lease(process)

    # --- processes come and go ---

    @rule(
        data=st.data(),
        how=st.sampled_from(["dies", "is paused", "learns that its lease is lost"]),
        happens=RARELY,
    )
    def a_process_is_gone(self, data: st.DataObject, how: str, happens: bool) -> None:
        process = self._any(data)
        if process is None or not happens:
            return
        if how == "dies":
            self.world.crash(process)
        elif process.name != self.world.holder:
            self.world.send(process, LeaseLost())
        elif not process.is_committing:
            self.world.declare_dead(process)

    @precondition(lambda self: self.world.may_be_taken)
    @rule()
    def a_process_takes_over(self) -> None:
        self.world.take()

    def _any(
        self, data: st.DataObject, fits: Callable[[Process], bool] = lambda process: True
    ) -> Process | None:
        found = [one for one in self.world.processes if not isinstance(one.state.stage, Over) and fits(one)]
        return data.draw(st.sampled_from(found)) if found else None


TestEveryOrder = TurnMachine.TestCase
TestEveryOrder.settings = settings(
    max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def finish(world: World) -> None:
    """Whatever happened: when all that waits is done, the turn has one outcome, and its session is free."""
    for process in list(world.processes):
        if process.name != world.holder and not process.is_committing:
            world.processes.remove(process)
    for _ in range(MOST_STEPS):
        if world.is_free:
            break
        holders = [process for process in world.processes if process.name == world.holder]
        step(world, holders[0] if holders else world.take(), lambda choices: choices[0])

    assert world.record is not None
    assert world.is_free
    assert [event.about for event in world.told.values()] == ["t42"]
