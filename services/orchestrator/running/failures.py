"""What an error means for the attempt in which it was raised."""

import logging

from services.orchestrator.turn.signals import Failure
from shared.contract.errors import Refused, Transient
from shared.process import metrics

log = logging.getLogger(__name__)


def failure_of(error: Exception, where: str) -> Failure:
    match error:
        case Transient():
            return Failure("unavailable", str(error), error.retry_in)
        case Refused():
            return Failure("refused", error.detail)
        case _:
            metrics.errors.labels("turn").inc()
            log.error("%s failed", where, exc_info=error)
            return Failure("internal", repr(error), 1.0)
