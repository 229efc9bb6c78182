"""What docs/delivery.md promises of a turn, checked at the moment at which it could be broken."""

from collections.abc import Mapping, Sequence

from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.turn.commands import Reply
from services.orchestrator.turn.live_events import story_of
from services.orchestrator.turn.run_state import RunState
from services.orchestrator.turn.signals import CallAsked, CancelAsked, DecisionAsked, Signal, SteeringAsked
from services.orchestrator.turn.state import Turn
from shared.contract.events import AnyLiveEvent, PhaseStarted
from shared.contract.requests import Controlled, TurnRecord


class Promises:
    """What was said to the turn's users."""

    def __init__(self) -> None:
        self._is_cancel_acknowledged = False
        self._acknowledged: dict[str, tuple[str | None, int]] = {}
        """The phase that was named for each text, and the attempt in which that was."""

    def hear(
        self, asked: Signal, reply: Reply, attempt: int, kept: Turn | None, record: TurnRecord | None
    ) -> None:
        """`kept`: the turn as it is in the lease of the process that replies. None: it has lost it."""
        answer = reply.answer
        match asked:
            case CancelAsked() if isinstance(answer, Controlled) and answer.found == "running":
                assert kept is None or kept.stopped is not None, "a cancel is kept before it is answered"
                assert record is None or record.status == "cancelled"
                self._is_cancel_acknowledged = True
            case CancelAsked():
                assert isinstance(answer, Controlled)
                assert record is not None
                assert answer.found == record.status
            case SteeringAsked(text=text) if isinstance(answer, Controlled):
                assert kept is None or text in kept.steering, "steering is kept before it is answered"
                assert record is None, "steering is acknowledged before the end"
                self._acknowledged[text] = (answer.takes_effect, attempt)
            case DecisionAsked(answer=said) if isinstance(answer, Controlled) and kept is not None:
                for key in answer.calls:
                    assert kept.approval.asked[key].answer == said, "an answer is kept before it is heard"
                    assert kept.approval.asked[key].for_client is isinstance(said, str)
            case CallAsked(key=key, answer_seconds=seconds) if kept is not None and seconds is not None:
                assert kept.approval.asked[key].answer == answer
                assert kept.approval.asked[key].until is not None
            case _:
                pass

    def check_end(self, record: TurnRecord, heard: Mapping[str, Sequence[PhaseName]]) -> None:
        """`heard`: the phases that ended and knew of each text."""
        if self._is_cancel_acknowledged:
            assert record.status == "cancelled", "an acknowledged cancel is kept"
        for text, (named, attempt) in self._acknowledged.items():
            assert text in record.steering
            if record.status == "saved":
                assert heard.get(text), "acknowledged steering is heard"
                assert named in heard[text] or attempt < record.attempt, "by the phase that was named"


def check_change(before: RunState, after: RunState) -> None:
    check_kept(before.turn, after.turn)
    assert [event.index for event in after.turn.events] == list(range(len(after.turn.events)))


def check_kept(before: Turn, after: Turn) -> None:
    """What a turn has once is not lost: neither by a phase that knew less, nor by a checkpoint."""
    assert after.phases[: len(before.phases)] == before.phases, "finished phases are not run again"
    assert after.steering[: len(before.steering)] == before.steering
    assert before.stopped is None or after.stopped == before.stopped
    assert after.attempt >= before.attempt
    for key, asked in before.approval.asked.items():
        assert asked.until is None or after.approval.asked[key] == asked


def check_fence(kept: Turn | None, turn: Turn) -> None:
    """What its users were promised of a turn that is written down is in the lease, if anything was."""
    assert (turn.steering, turn.stopped) == ([], None) or (
        kept is not None and (kept.steering, kept.stopped) == (turn.steering, turn.stopped)
    )


def check_results(kept: Turn | None, turn: Turn, announced: Sequence[AnyLiveEvent]) -> None:
    """No phase begins before the lease knows what tools have done."""
    if isinstance(announced[-1], PhaseStarted) and _rounds(turn):
        assert kept is not None
        assert _rounds(kept) == _rounds(turn), "what tools have done is kept"


def check_story(stream: Sequence[AnyLiveEvent], record: TurnRecord, events: Sequence[AnyLiveEvent]) -> None:
    """`events`: those that are written down. The last of them is not sent yet."""
    assert [event.index for event in events] == list(range(record.last_index + 1)), "no gap"
    story = story_of([*stream, events[-1]])
    assert story[: len(events)] == events, "its readers know the same"


def _rounds(turn: Turn) -> int:
    """Of tool calls that have ended."""
    return sum(run.phase == "coordinate" for run in turn.phases)
