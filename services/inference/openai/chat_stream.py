"""One answer so far, from the bytes that arrive: of a chat, or a text that goes on."""

from collections.abc import Iterator
from typing import Any

from services.inference.openai.chunks import Choice, Tokens, chunk_in, tokens_in
from services.inference.openai.events import DONE, EventReader, NotAnAnswer, shown
from services.inference.openai.finish_reasons import Meaning, meaning_of
from services.inference.openai.tool_calls import ToolCalls
from shared.contract.events import UNREADABLE


class CutOff(Exception):
    """The stream stopped before the answer was complete."""


class ChatStream:
    """One response so far. It is fed with the bytes as they arrive, and closed at their end."""

    def __init__(self) -> None:
        self.pieces = 0
        """Chunks with text. Where the server does not count tokens, this is their number."""
        self.end: Meaning | None = None
        """Why the answer is complete; None: it is not."""
        self.events = 0
        self.done = False
        """The stream has ended."""
        self.besides = ""
        """What the answer has instead of text, in words."""
        self.calls = ToolCalls()
        self._last_reason: Any = None
        self._has_choices = False
        self._last_event = b""
        self._usage = b""
        self._reader = EventReader()

    @property
    def tokens(self) -> Tokens:
        return tokens_in(self._usage)

    def feed(self, data: bytes) -> Iterator[str]:
        """Yields the new pieces of text, and counts them in `pieces`. Raises NotAnAnswer and ServerError."""
        for event in self._reader.feed(data):
            yield from self._read(event)

    def close(self) -> Iterator[str]:
        """As `feed`, for what is left. Raises CutOff where the answer is not complete."""
        for event in self._reader.close():
            yield from self._read(event)
        self.done = True
        if self.end is not None:
            return
        if self.events and not self._has_choices and not self._reader.is_cut_off:
            raise NotAnAnswer(shown(self._last_event))
        named = (
            f"ended with finish_reason {self._last_reason!r}"
            if self._last_reason
            else "stopped without an end"
        )
        raise CutOff(f"the stream {named}")

    def _read(self, event: bytes) -> Iterator[str]:
        self.events += 1
        if event == DONE:
            self.done = True
            return
        try:
            chunk = chunk_in(event)
        except UNREADABLE as error:
            raise NotAnAnswer(f"{shown(event)} ({error})") from error
        if chunk is None:
            return
        self._last_event = event
        self._usage = bytes(chunk.usage) if bytes(chunk.usage) not in {b"", b"null"} else self._usage
        if chunk.choice is not None and (text := self._chosen(chunk.choice)):
            self.pieces += 1
            yield text

    def _chosen(self, choice: Choice) -> str:
        self._has_choices = True
        self._last_reason = choice.finish_reason or self._last_reason
        self.end = meaning_of(choice.finish_reason) or self.end
        if isinstance(choice.text, str):
            return choice.text
        # A whole message after its pieces would say everything twice.
        message = choice.delta or (None if self.pieces or self.calls else choice.message)
        if message is None:
            return ""
        self.calls.feed(message.tool_calls)
        text = message.text
        if not text:
            self.besides = message.besides or self.besides
        return text
