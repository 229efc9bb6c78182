"""Retries: a step that failed in a way that passes is called again. tenacity does it, for the whole tree.

    _RETRY = Retry(wait=wait_exponential(multiplier=0.5, max=8), stop=stop_after_attempt(6))
    reply = await _RETRY(bus.ask, request)

A cancellation ends the retries at once, and so does every other error than those that are retried.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_never

from shared.contract.errors import Transient

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
Errors = type[Exception] | tuple[type[Exception], ...]
_START_PAUSE_SECONDS = 0.25


class Retry:
    """When a step is called again. Raises the last error where `stop` says that it is enough.

    `wait` and `stop` are tenacity's. `on` says which errors pass; `note` is called before each pause.
    """

    def __init__(
        self,
        *,
        wait: Callable[[RetryCallState], float],
        stop: Callable[[RetryCallState], bool] = stop_never,
        on: Errors | Callable[[BaseException], bool] = Transient,
        note: Callable[[RetryCallState], None] | None = None,
    ) -> None:
        self.wait = wait
        self.stop = stop
        self._passes = (lambda error: isinstance(error, on)) if isinstance(on, type | tuple) else on
        self._note = note

    async def __call__(self, step: Callable[P, Awaitable[R]], *arguments: P.args, **named: P.kwargs) -> R:
        """The first call goes without tenacity, which spends 30 microseconds on it. Most steps succeed."""
        try:
            return await step(*arguments, **named)
        except Exception as error:
            if not self._passes(error):
                raise
            failed: Exception | None = error

        async def step_again() -> R:
            nonlocal failed
            if failed is None:
                return await step(*arguments, **named)
            error, failed = failed, None
            raise error  # For tenacity this was the first try: it counts, notes and waits.

        retrying = AsyncRetrying(
            wait=self.wait,
            stop=self.stop,
            retry=retry_if_exception(self._passes),
            before_sleep=self._note,
            reraise=True,
        )
        reply: R = await retrying(step_again)
        return reply


def wait_as_asked(most_seconds: float) -> Callable[[RetryCallState], float]:
    """As long as the Transient asks for with `retry_in`, at most `most_seconds`."""

    def wait(state: RetryCallState) -> float:
        error = error_of(state)
        return min(error.retry_in, most_seconds) if isinstance(error, Transient) else most_seconds

    return wait


def error_of(state: RetryCallState) -> BaseException | None:
    """Why the last try failed."""
    return state.outcome.exception() if state.outcome is not None else None


async def until_there(what: str, step: Callable[[], Awaitable[R]]) -> R:
    """Calls `step` again as long as it raises Transient: services may start in any order."""

    def note(state: RetryCallState) -> None:
        level = logging.INFO if state.attempt_number == 1 else logging.DEBUG
        log.log(level, "waiting for %s: %s", what, error_of(state))

    return await Retry(wait=wait_as_asked(_START_PAUSE_SECONDS), note=note)(step)
