"""Waits for what is away: for what has to be said or written, however late."""

import logging

from tenacity import RetryCallState

from shared.process.retrying import Retry, error_of, wait_as_asked

log = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 1.0


def _note_wait(state: RetryCallState) -> None:
    log.info("waiting: %s", error_of(state))


certainly = Retry(wait=wait_as_asked(_LONGEST_PAUSE_SECONDS), note=_note_wait)
"""Calls a step again until it raises no Transient."""
