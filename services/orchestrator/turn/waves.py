"""In which order planned calls run: side by side where none needs another's result."""

from collections.abc import Sequence

from services.orchestrator.turn.thoughts import PlannedCall


def waves_of(calls: Sequence[PlannedCall]) -> list[list[PlannedCall]]:
    """Each call in the first wave behind all that it comes after.

    A fault of a plan stops nothing: a call waits neither for one that does not exist, nor for itself;
    calls that wait for each other in a circle run together, last.
    """
    named = {call.id for call in calls}
    left = list(calls)
    done: set[str] = set()
    waves: list[list[PlannedCall]] = []
    while left:
        ready = [call for call in left if (set(call.after) & named) - {call.id} <= done]
        wave = ready or left
        waves.append(wave)
        done |= {call.id for call in wave}
        left = [call for call in left if not any(call is other for other in wave)]
    return waves
