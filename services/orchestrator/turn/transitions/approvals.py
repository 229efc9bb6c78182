"""Tool calls of a phase, and the answers of a person to those that need one."""

from datetime import datetime

from services.orchestrator.turn.approval import Approval, Asked, decided, waiting
from services.orchestrator.turn.commands import CountAnswers, Reply, SendLater
from services.orchestrator.turn.run_state import RunState, Step, replaced
from services.orchestrator.turn.signals import ApprovalExpired, CallAsked, DecisionAsked
from services.orchestrator.turn.transitions.checkpoints import reply_when_saved, save, save_and_reply
from shared.contract.errors import Refused
from shared.contract.requests import Controlled


def on_call(state: RunState, call: CallAsked, now: datetime) -> Step:
    """The answer of a person still counts that was given to a process that had the turn before."""
    if call.approval_seconds is None:
        return _with_call(state, call.key, None), [Reply(call.asker, True)]
    asked = state.turn.approval.asked.get(call.key)
    if asked is not None and asked.until is not None:
        return reply_when_saved(_with_call(state, call.key, None), Reply(call.asker, asked.answer))
    if asked is None:
        asked = Asked(tool=call.tool, at=now)
        state = _with_approval(state, Approval(asked={**state.turn.approval.asked, call.key: asked}))
    state, commands = save(_with_call(state, call.key, call.asker))
    left = call.approval_seconds - (now - asked.at).total_seconds()
    return state, [*commands, SendLater(left, ApprovalExpired(call.key))]


def on_call_ended(state: RunState, key: str) -> Step:
    return replaced(state, calls={other: asker for other, asker in state.calls.items() if other != key}), []


def on_decision(state: RunState, decision: DecisionAsked, now: datetime) -> Step:
    keys = [key for key in waiting(state.turn.approval) if decision.call in ("", key)]
    if not keys or state.is_committing:
        call = f" {decision.call}" if decision.call else ""
        refusal = Refused(409, f"no tool call{call} waits; it may be answered already", "call")
        return state, [Reply(decision.asker, refusal)]
    answer = Controlled(turn_id=state.turn.turn_id, found="waiting", phase=state.phase, done=True, calls=keys)
    counted = CountAnswers("approved" if decision.answer else "denied", len(keys))
    state, commands = _decide(state, keys, decision.answer, now, Reply(decision.asker, answer))
    return state, [*commands, counted]


def on_expired(state: RunState, key: str, now: datetime) -> Step:
    if key not in state.calls or key not in waiting(state.turn.approval):
        return state, []
    state, commands = _decide(state, [key], None, now)
    return state, [*commands, CountAnswers("unanswered", 1)]


def only_waits(state: RunState) -> bool:
    """No tool is at work: a process that takes the turn over calls none twice."""
    return is_waiting(state) and None not in state.calls.values()


def is_waiting(state: RunState) -> bool:
    """For a person. What is told to stop does not wait any more."""
    return state.phase == "coordinate" and state.stop is None and bool(waiting(state.turn.approval))


def _decide(state: RunState, keys: list[str], answer: bool | None, now: datetime, *replies: Reply) -> Step:
    """Kept before anybody hears it. The calls that it allows count as at work from here on."""
    askers = [(key, state.calls[key]) for key in keys if key in state.calls]
    told = [Reply(asker, answer) for _, asker in askers if asker is not None]
    calls = {**state.calls, **{key: None for key, _ in askers}}
    state = _with_approval(replaced(state, calls=calls), decided(state.turn.approval, keys, answer, now))
    return save_and_reply(state, *replies, *told)


def _with_approval(state: RunState, approval: Approval) -> RunState:
    return replaced(state, turn=replaced(state.turn, approval=approval))


def _with_call(state: RunState, key: str, asker: int | None) -> RunState:
    return replaced(state, calls={**state.calls, key: asker})
