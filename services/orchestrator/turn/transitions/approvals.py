"""Tool calls of a phase, and the answers of a person or a client to those that need one."""

from datetime import datetime

from services.orchestrator.turn import approval as answers
from services.orchestrator.turn.approval import Approval, Asked, decided, waiting
from services.orchestrator.turn.commands import CountAnswers, Reply, SendLater
from services.orchestrator.turn.run_state import RunState, Step, replaced
from services.orchestrator.turn.signals import ApprovalExpired, CallAsked, DecisionAsked
from services.orchestrator.turn.transitions.checkpoints import reply_when_saved, save, save_and_reply
from shared.contract.errors import Refused
from shared.contract.requests import Controlled


def on_call(state: RunState, call: CallAsked, now: datetime) -> Step:
    """An answer still counts that was given to a process that had the turn before."""
    if call.answer_seconds is None:
        return _with_call(state, call.key, None), [Reply(call.asker, True)]
    asked = state.turn.approval.asked.get(call.key)
    if asked is not None and asked.until is not None:
        return reply_when_saved(_with_call(state, call.key, None), Reply(call.asker, asked.answer))
    if asked is None:
        asked = Asked(tool=call.tool, at=now, for_client=call.for_client)
        state = _with_approval(state, Approval(asked={**state.turn.approval.asked, call.key: asked}))
    state, commands = save(_with_call(state, call.key, call.asker))
    left = call.answer_seconds - (now - asked.at).total_seconds()
    return state, [*commands, SendLater(left, ApprovalExpired(call.key))]


def on_call_ended(state: RunState, key: str) -> Step:
    return replaced(state, calls={other: asker for other, asker in state.calls.items() if other != key}), []


def on_decision(state: RunState, decision: DecisionAsked, now: datetime) -> Step:
    keys = [key for key in waiting(state.turn.approval) if _is_answer_to(state, key, decision)]
    if not keys or state.is_committing:
        return state, [Reply(decision.asker, _unasked(state, decision))]
    answer = Controlled(turn_id=state.turn.turn_id, found="waiting", phase=state.phase, done=True, calls=keys)
    state, commands = _decide(state, keys, decision.answer, now, Reply(decision.asker, answer))
    if isinstance(decision.answer, str):
        return state, commands
    return state, [*commands, CountAnswers("approved" if decision.answer else "denied", len(keys))]


def _is_answer_to(state: RunState, key: str, decision: DecisionAsked) -> bool:
    """A client's call may be denied by its key; it cannot be approved: nobody would make it."""
    if not state.turn.approval.asked[key].for_client:
        return not isinstance(decision.answer, str) and decision.call in ("", key)
    return decision.answer is not True and decision.call == key


def _unasked(state: RunState, decision: DecisionAsked) -> Refused:
    asked = state.turn.approval.asked.get(decision.call)
    if asked is not None and asked.until is None and not state.is_committing:
        how = "its client makes it and sends `result`" if asked.for_client else "a person allows or denies it"
        return Refused(409, f"tool call {decision.call} is answered otherwise: {how}", "call")
    call = f" {decision.call}" if decision.call else ""
    return Refused(409, f"no tool call{call} waits; it may be answered already", "call")


def on_expired(state: RunState, key: str, now: datetime) -> Step:
    if key not in state.calls or key not in waiting(state.turn.approval):
        return state, []
    is_counted = not state.turn.approval.asked[key].for_client
    state, commands = _decide(state, [key], None, now)
    return state, [*commands, CountAnswers("unanswered", 1)] if is_counted else commands


def only_waits(state: RunState) -> bool:
    """No tool is at work: a process that takes the turn over calls none twice."""
    return is_waiting(state) and None not in state.calls.values()


def is_waiting(state: RunState) -> bool:
    """For a person or its client. What is told to stop does not wait any more."""
    return state.phase == "coordinate" and state.stop is None and bool(waiting(state.turn.approval))


def waits_for_client(state: RunState) -> bool:
    return is_waiting(state) and answers.waits_for_client(state.turn.approval)


def _decide(
    state: RunState, keys: list[str], answer: bool | str | None, now: datetime, *replies: Reply
) -> Step:
    """Kept before anybody hears it. The calls that it allows count as at work from here on."""
    askers = [(key, state.calls[key]) for key in keys if key in state.calls]
    told = [Reply(asker, answer) for _, asker in askers if asker is not None]
    calls = {**state.calls, **{key: None for key, _ in askers}}
    state = _with_approval(replaced(state, calls=calls), decided(state.turn.approval, keys, answer, now))
    return save_and_reply(state, *replies, *told)


def _with_approval(state: RunState, changed: Approval) -> RunState:
    return replaced(state, turn=replaced(state.turn, approval=changed))


def _with_call(state: RunState, key: str, asker: int | None) -> RunState:
    return replaced(state, calls={**state.calls, key: asker})
