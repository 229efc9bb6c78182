"""Single steps of a turn that runs, one signal after another."""

from datetime import timedelta

import msgspec
import pytest

from services.orchestrator.recipes.recipe import ORDER, PHASES, Chosen, PhaseName, Recipe
from services.orchestrator.turn.advance import advance
from services.orchestrator.turn.approval import Approval, Asked
from services.orchestrator.turn.commands import (
    Announce,
    Command,
    CountAnswers,
    CutPhase,
    ExtendPhase,
    Reply,
    RunPhase,
    SaveCheckpoint,
    SendLater,
    WriteFolder,
)
from services.orchestrator.turn.found import Analysed, Coordinated, Found, Gathered
from services.orchestrator.turn.run_state import Beginning, RunState, TimeLimits, Working, run_state
from services.orchestrator.turn.signals import (
    Announced,
    AnswerAsked,
    ApprovalExpired,
    Broken,
    CallAsked,
    CancelAsked,
    CheckpointWritten,
    DecisionAsked,
    PhaseReturned,
    Signal,
    SteeringAsked,
    TimeUp,
)
from services.orchestrator.turn.state import PhaseRun
from services.orchestrator.turn.thoughts import Analysis, CallResult, Plan
from services.orchestrator.turn.transitions.approvals import is_waiting, only_waits
from services.orchestrator.turn.transitions.attempts import MOST_ATTEMPTS
from shared.contract.errors import Refused
from shared.contract.events import WhyCancelled
from shared.contract.requests import Controlled
from tests.unit.samples import AT, passage, turn

LIMITS = TimeLimits(turn=600.0, phases=dict.fromkeys(ORDER, 30.0))
FOUND = [passage(7, "Mira lives in Lisbon.")]
GATHERED = Gathered(history=[], memory_was_away=False, passages=FOUND, digest="")


class Driven:
    """A turn in a phase, driven by signals."""

    def __init__(self, phase: PhaseName, approval: Approval | None = None) -> None:
        chosen = Chosen(name="standard", version="1", recipe=Recipe(phases=[*PHASES], tools=["*"]))
        before = [PhaseRun(phase=one, started_at=AT, seconds=1.0) for one in ORDER[1 : ORDER.index(phase)]]
        plans = [Plan()] if ORDER.index(phase) > ORDER.index("plan") else []
        begun = turn("Where?", chosen=chosen, phases=before, plans=plans, approval=approval or Approval())
        state = run_state(begun, LIMITS, has_waited=False)
        self.state: RunState = msgspec.structs.replace(state, stage=Working(phase, 30.0))
        self.commands: list[Command] = []

    def __call__(self, signal: Signal, seconds: float = 0.0) -> list[Command]:
        self.state, commands = advance(self.state, signal, AT + timedelta(seconds=seconds))
        self.commands += commands
        return commands

    def write_checkpoints(self) -> list[Command]:
        """All that were asked for. Returns what follows."""
        begun = len(self.commands)
        for number in range(self.state.written + 1, self.state.checkpoints + 1):
            self(CheckpointWritten(number))
        return self.commands[begun:]


def replies(commands: list[Command]) -> list[object]:
    return [command.answer for command in commands if isinstance(command, Reply)]


def test_a_phase_cannot_overwrite_what_came_while_it_ran() -> None:
    asked = Approval(asked={"1.a": Asked(tool="memory.remove", at=AT)})
    driven = Driven("gather", asked)

    driven(SteeringAsked(1, "In one word."))
    driven(DecisionAsked(2, "1.a", True))
    driven(CancelAsked(3))
    driven(PhaseReturned(GATHERED))

    now = driven.state.turn
    assert now.steering == ["In one word."]
    assert now.approval.asked["1.a"].answer is True
    assert now.stopped == "cancelled"
    assert now.passages == FOUND


def test_a_phase_changes_the_fields_that_it_owns_and_no_others() -> None:
    driven = Driven("analysis")
    before = driven.state.turn
    found: Found = Analysed(analysis=Analysis(intent="command"), history=[], memory_was_away=True)

    driven(PhaseReturned(found))

    after = driven.state.turn
    changed = {name for name in after.__struct_fields__ if getattr(after, name) != getattr(before, name)}
    assert changed == {"analysis", "history", "memory_was_away", "phases"}


def test_a_cancel_is_answered_when_it_is_in_the_lease() -> None:
    driven = Driven("gather")

    asked = driven(CancelAsked(1))
    kept = next(command.turn for command in asked if isinstance(command, SaveCheckpoint))

    assert CutPhase() in asked
    assert replies(asked) == []
    assert kept.stopped == "cancelled"
    (answer,) = replies(driven.write_checkpoints())
    assert answer == Controlled(turn_id="t42", found="running", phase="gather", done=True)


def test_steering_names_the_first_phase_that_hears_it() -> None:
    driven = Driven("gather")

    asked = driven(SteeringAsked(1, "In one word."))

    assert replies(asked) == []
    (answer,) = replies(driven.write_checkpoints())
    assert isinstance(answer, Controlled)
    assert (answer.phase, answer.takes_effect) == ("gather", "plan")


def test_what_is_said_while_a_phase_is_announced_is_not_heard_by_it() -> None:
    driven = Driven("analysis")
    announced = driven(PhaseReturned(Analysed(analysis=Analysis(), history=[], memory_was_away=False)))
    opening = driven(Announced(announced[0].events))  # type: ignore[union-attr]

    driven(SteeringAsked(1, "In one word."))
    run = driven(Announced(opening[-1].events))[0]  # type: ignore[union-attr]

    assert isinstance(run, RunPhase)
    assert (run.phase, run.turn.steering) == ("gate", [])
    assert driven.state.turn.steering == ["In one word."]


def test_a_gate_that_has_not_heard_all_may_not_answer() -> None:
    driven = Driven("gate")
    driven(SteeringAsked(1, "one"))

    driven(AnswerAsked(heard=0))
    assert not driven.state.is_answering
    driven(SteeringAsked(2, "two"))
    driven(AnswerAsked(heard=2))

    assert driven.state.is_answering
    (refused,) = replies(driven(SteeringAsked(3, "three")))
    assert isinstance(refused, Refused)
    assert driven.state.turn.steering == ["one", "two"]


def test_a_call_that_a_person_allows_is_made_when_that_is_kept() -> None:
    driven = Driven("coordinate")
    asked = driven(CallAsked(1, "1.a", "memory.remove", 60.0))
    driven.write_checkpoints()

    assert SendLater(60.0, ApprovalExpired("1.a")) in asked
    assert only_waits(driven.state)
    decided = driven(DecisionAsked(2, "", True))

    assert CountAnswers("approved", 1) in decided
    assert replies(decided) == []
    assert not only_waits(driven.state), "the tool is as good as at work"
    answer, allowed = replies(driven.write_checkpoints())
    assert isinstance(answer, Controlled)
    assert (answer.found, answer.calls, allowed) == ("waiting", ["1.a"], True)


def test_what_tools_have_done_is_in_the_lease_before_the_next_phase_is_announced() -> None:
    driven = Driven("coordinate")
    results = [CallResult(id="a", tool="memory.remove", text="Removed.")]
    (ended,) = driven(PhaseReturned(Coordinated(results=results)))
    assert isinstance(ended, Announce)

    commands = driven(Announced(ended.events))

    (kept,) = [command.turn for command in commands if isinstance(command, SaveCheckpoint)]
    assert kept.results == results
    assert not any(isinstance(command, Announce) for command in commands)
    assert any(isinstance(command, Announce) for command in driven.write_checkpoints())


def test_a_turn_that_is_steered_while_results_of_tools_are_kept_goes_on() -> None:
    driven = Driven("coordinate")
    (ended,) = driven(PhaseReturned(Coordinated(results=[])))
    driven(Announced(ended.events))  # type: ignore[union-attr]
    driven(SteeringAsked(1, "In one word."))

    commands = driven.write_checkpoints()

    (answer,) = replies(commands)
    assert isinstance(answer, Controlled)
    assert answer.takes_effect == "synthesis"
    assert sum(isinstance(command, Announce) for command in commands) == 1


@pytest.mark.parametrize("stopped", [None, "cancelled"])
def test_a_turn_that_can_never_begin_ends_after_its_last_attempt(stopped: WhyCancelled | None) -> None:
    driven = Driven("analysis")
    tired = msgspec.structs.replace(driven.state.turn, attempt=MOST_ATTEMPTS + 1, stopped=stopped)
    driven.state = msgspec.structs.replace(run_state(tired, LIMITS, has_waited=False), stage=Beginning())

    driven(Broken("ValueError()"))

    (written,) = driven.write_checkpoints()
    assert isinstance(written, WriteFolder)
    assert (written.status, written.error) == (
        ("failed", "internal: ValueError()") if stopped is None else ("cancelled", None)
    )


def test_a_turn_that_calls_another_tool_beside_does_not_only_wait() -> None:
    driven = Driven("coordinate")

    driven(CallAsked(1, "1.a", "memory.remove", 60.0))
    assert replies(driven(CallAsked(2, "1.b", "memory.search", None))) == [True]

    assert is_waiting(driven.state)
    assert not only_waits(driven.state)


def test_a_call_that_nobody_allowed_is_counted_once_whichever_process_goes_on() -> None:
    first = Driven("coordinate")
    first(CallAsked(1, "1.a", "memory.remove", 60.0))
    expired = first(ApprovalExpired("1.a"), 60.0)
    second = Driven("coordinate", first.state.turn.approval)
    again = second(CallAsked(1, "1.a", "memory.remove", 60.0), 61.0)

    assert CountAnswers("unanswered", 1) in expired
    assert replies(first.write_checkpoints()) == [None]
    assert again == [Reply(1, None)]


def test_the_time_that_a_phase_waits_for_a_person_does_not_count() -> None:
    driven = Driven("coordinate")
    driven(CallAsked(1, "1.a", "memory.remove", 60.0))
    driven(DecisionAsked(2, "", True), 20.0)

    assert driven(TimeUp(spent_seconds=30.0), 30.0) == [ExtendPhase(20.0)]
    assert driven(TimeUp(spent_seconds=50.0), 50.0) == [CutPhase()]
    assert driven.state.stop == "timeout"
