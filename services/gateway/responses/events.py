"""The numbered events of a response, made from those of its turn.

The number of each follows from the turn's events alone. They are stored, so every reader of every gateway
gets the same numbers, at whatever moment it reads.
"""

from typing import Any, Literal

import msgspec

from services.gateway.openai.answers import Spoken
from services.gateway.responses.ids import response_id
from services.gateway.responses.objects import (
    Head,
    IncompleteDetails,
    OutputMessage,
    OutputText,
    Response,
    ResponseError,
    answer,
    usage_of,
)
from shared.contract.errors import Refused
from shared.contract.events import AnyLiveEvent, Cancelled, Failed, Saved, Usage


class Lifecycle(msgspec.Struct, kw_only=True, frozen=True):
    """It has the whole response."""

    type: Literal[
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.failed",
        "response.incomplete",
    ]
    sequence_number: int
    response: Response


class ItemEvent(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["response.output_item.added", "response.output_item.done"]
    sequence_number: int
    output_index: int = 0
    item: OutputMessage


class PartEvent(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["response.content_part.added", "response.content_part.done"]
    sequence_number: int
    item_id: str
    output_index: int = 0
    content_index: int = 0
    part: OutputText


class TextDelta(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    sequence_number: int
    item_id: str
    output_index: int = 0
    content_index: int = 0
    delta: str
    logprobs: list[dict[str, Any]] = []


class TextDone(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["response.output_text.done"] = "response.output_text.done"
    sequence_number: int
    item_id: str
    output_index: int = 0
    content_index: int = 0
    text: str
    logprobs: list[dict[str, Any]] = []


class ErrorEvent(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["error"] = "error"
    sequence_number: int
    code: str | None
    message: str
    param: str | None = None


ResponseEvent = Lifecycle | ItemEvent | PartEvent | TextDelta | TextDone | ErrorEvent


class ResponseEvents:
    """Makes the events of one response, in order. Nothing comes after its end."""

    def __init__(self, head: Head, *, is_held: bool = False) -> None:
        """`is_held`: nothing is said before the answer is saved, also where it cannot be revised."""
        self._head = head
        self._spoken = Spoken(is_held=is_held or head.echo.is_held)
        self._next = 0
        self._text: str | None = None
        """What was said; None before the message is begun."""
        self._is_in_progress = False
        self.has_ended = False

    def begin(self) -> list[ResponseEvent]:
        if self._head.echo.background:
            queued = self._head.response("queued", [])
            return [self._lifecycle("response.created", queued), self._lifecycle("response.queued", queued)]
        begun = self._head.response("in_progress", [])
        return [self._lifecycle("response.created", begun), *self._in_progress()]

    def take(self, event: AnyLiveEvent) -> list[ResponseEvent]:
        """Takes what a chat shows of a turn's events (`openai.answers.read_events`)."""
        if self.has_ended:
            return []
        try:
            made = self.say(self._spoken.news(event))
        except Refused:
            where = f"GET /v1/responses/{response_id(self._head.turn_id)}"
            return [self.error("answer_revised", f"the answer was revised while it was sent; {where} has it")]
        match event:
            case Saved(output=output, usage=usage):
                return [*made, *self.completed(output, usage)]
            case Cancelled():
                return [*made, *self._stopped()]
            case Failed(reason=reason, detail=detail):
                return [*made, *self._failed(reason, detail)]
            case _:
                return made

    def completed(self, output: str, usage: Usage) -> list[ResponseEvent]:
        self.has_ended = True
        message = answer(self._head.turn_id, output, is_whole=True)
        done = self._head.response("completed", [message], usage=usage_of(usage))
        return [*self._opened(), *self._closed(message), self._lifecycle("response.completed", done)]

    def cut_off(self, output: str, usage: Usage) -> list[ResponseEvent]:
        """The answer has as many tokens as it may have."""
        self.has_ended = True
        message = answer(self._head.turn_id, output, is_whole=False)
        details = IncompleteDetails(reason="max_output_tokens")
        cut = self._head.response("incomplete", [message], usage=usage_of(usage), incomplete_details=details)
        return [*self._opened(), *self._closed(message), self._lifecycle("response.incomplete", cut)]

    def error(self, code: str | None, message: str) -> ErrorEvent:
        self.has_ended = True
        return ErrorEvent(sequence_number=self._number(), code=code, message=message)

    def _stopped(self) -> list[ResponseEvent]:
        """OpenAI has no event of its own for it."""
        self.has_ended = True
        if self._text is None:
            return [self._lifecycle("response.incomplete", self._head.response("cancelled", []))]
        message = answer(self._head.turn_id, self._text, is_whole=False)
        stopped = self._head.response("cancelled", [message])
        return [*self._closed(message), self._lifecycle("response.incomplete", stopped)]

    def _failed(self, reason: str, detail: str) -> list[ResponseEvent]:
        self.has_ended = True
        partial = [] if self._text is None else [answer(self._head.turn_id, self._text, is_whole=False)]
        failed = self._head.response("failed", partial, error=error_of(reason, detail))
        return [self._lifecycle("response.failed", failed)]

    def say(self, text: str) -> list[ResponseEvent]:
        """Says more of the answer."""
        if not text:
            return []
        opened = self._opened()
        self._text = (self._text or "") + text
        delta = TextDelta(sequence_number=self._number(), item_id=self._head.item_id, delta=text)
        return [*opened, delta]

    def _in_progress(self) -> list[ResponseEvent]:
        if self._is_in_progress:
            return []
        self._is_in_progress = True
        return [self._lifecycle("response.in_progress", self._head.response("in_progress", []))]

    def _opened(self) -> list[ResponseEvent]:
        if self._text is not None:
            return []
        self._text = ""
        item = OutputMessage(id=self._head.item_id, status="in_progress", content=[])
        return [
            *self._in_progress(),
            ItemEvent(type="response.output_item.added", sequence_number=self._number(), item=item),
            self._part("response.content_part.added", OutputText(text="")),
        ]

    def _closed(self, message: OutputMessage) -> list[ResponseEvent]:
        (part,) = message.content
        return [
            TextDone(sequence_number=self._number(), item_id=message.id, text=part.text),
            self._part("response.content_part.done", part),
            ItemEvent(type="response.output_item.done", sequence_number=self._number(), item=message),
        ]

    def _part(
        self, kind: Literal["response.content_part.added", "response.content_part.done"], part: OutputText
    ) -> PartEvent:
        return PartEvent(type=kind, sequence_number=self._number(), item_id=self._head.item_id, part=part)

    def _lifecycle(self, kind: Any, response: Response) -> Lifecycle:
        return Lifecycle(type=kind, sequence_number=self._number(), response=response)

    def _number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number


def error_of(reason: str, detail: str) -> ResponseError:
    return ResponseError(code="invalid_prompt" if reason == "refused" else "server_error", message=detail)


def event_bytes(event: ResponseEvent) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.type.encode(), msgspec.json.encode(event))
