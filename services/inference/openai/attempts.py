"""How often one generation is asked of the server. No other layer repeats a request that may have been paid
for: what is raised as Transient has cost nothing, and what is Refused is not asked again."""

import random

from shared.contract.errors import Refused, Transient

MOST_REPEATS_PAID = 2
"""Of a request that the server may have charged for."""
LONGEST_PAUSE_SECONDS = 8.0
"""A server that asks for a longer one is asked again later: the turn pauses, and says so."""


class AnotherTry(Exception):
    """The server failed before the first token, in a way that another try may not."""

    def __init__(self, reason: str, *, may_be_paid: bool, after: float = 0.0) -> None:
        """`after`: seconds that the server asks to wait."""
        super().__init__(reason)
        self.may_be_paid = may_be_paid
        self.after = after


class Attempts:
    """Of one generation."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._failed = 0
        self._paid = 0

    def pause_after(self, failure: AnotherTry) -> float:
        """Returns the seconds until the next attempt. Raises Refused or Transient where there is none.

        They double from half a second, less up to a half by jitter.
        """
        self._failed += 1
        self._paid += failure.may_be_paid
        is_last = self._failed > self._retries or self._paid > MOST_REPEATS_PAID
        if is_last or failure.after > LONGEST_PAUSE_SECONDS:
            raise self._end(failure) from failure
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        return min(max(0.25 * 2.0**self._failed * jitter, failure.after), LONGEST_PAUSE_SECONDS)

    def _end(self, failure: AnotherTry) -> Exception:
        if self._paid:
            return Refused(
                502, f"{failure}; {self._failed} requests were sent, which may have been charged for"
            )
        return Transient(str(failure), retry_in=failure.after or 1.0)
