"""A turn as OpenAI's clients see it: a response, and the message that it answers."""

from typing import Final

import msgspec

from services.gateway.openai.models import PANDORA, model_of
from services.gateway.responses.events import error_of
from services.gateway.responses.ids import second_of
from services.gateway.responses.objects import (
    Head,
    InputMessage,
    Response,
    Status,
    answer,
    question,
    usage_of,
    without_echo,
)
from services.gateway.turns.views import TurnView
from shared.contract.requests import TurnStatus

_STATUS: Final[dict[TurnStatus, Status]] = {
    "queued": "queued",
    "running": "in_progress",
    "waiting": "in_progress",
    "saved": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


class Found(msgspec.Struct, kw_only=True, frozen=True):
    """A turn, and what it was handed in with."""

    turn: TurnView
    recipe: str
    metadata: dict[str, str]
    images: list[str]
    """The ids of the user's files that it shows."""

    @property
    def head(self) -> Head:
        at = self.turn.requested_at
        made = head_of(self.turn.id, self.metadata, created_at=0 if at is None else int(at.timestamp()))
        if made.echo.model:
            return made
        # It was not handed in as a response.
        model = model_of(self.recipe) if self.recipe else PANDORA
        return msgspec.structs.replace(made, echo=msgspec.structs.replace(made.echo, model=model))


def head_of(turn_id: str, metadata: dict[str, str], *, created_at: int = 0) -> Head:
    """`metadata`: of the turn. `created_at`: for a turn whose id does not tell."""
    own, echo = without_echo(metadata)
    return Head(
        turn_id=turn_id,
        created_at=second_of(turn_id) or created_at,
        echo=echo,
        metadata=own,
    )


def response_of(found: Found) -> Response:
    turn, head = found.turn, found.head
    status = _STATUS[turn.status]
    is_whole = status == "completed"
    message = answer(turn.id, turn.output, is_whole=is_whole)
    reason, _, detail = (turn.error or "").partition(": ")
    return head.response(
        status,
        # Of a turn that runs only its events tell what was said.
        [message] if is_whole or (turn.output and turn.ended_at is not None) else [],
        completed_at=int(turn.ended_at.timestamp()) if is_whole and turn.ended_at is not None else None,
        error=error_of(reason, detail or reason) if status == "failed" else None,
        usage=usage_of(turn.usage) if is_whole else None,
    )


def question_of(found: Found) -> InputMessage:
    """What the user said, as one message."""
    return question(found.turn.id, found.turn.input, found.images)
