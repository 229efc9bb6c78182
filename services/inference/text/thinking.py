"""Leaves out what a model thinks between `<think>` and `</think>` before its answer."""

from typing import Literal

OPEN = "<think>"
_CLOSE = "</think>"
NEVER_ANSWERED = f"its thought never came to {_CLOSE}"


class ThoughtFilter:
    """Takes the pieces of a model's output, and returns those that belong to the answer."""

    def __init__(self, *, is_open: bool = False, is_answer: bool = False) -> None:
        """`is_open`: the prompt ends inside a thought, as with some chat templates.

        `is_answer`: no thought is expected, and all text is handed on as it is.
        """
        self._at: Literal["begin", "thought", "gap", "answer"] = "thought" if is_open else "begin"
        if is_answer:
            self._at = "answer"
        self._unread = ""

    def feed(self, piece: str) -> str:
        if self._at == "answer":
            return piece
        self._unread += piece
        if self._at == "begin":
            self._begin()
        if self._at == "thought":
            self._think()
        if self._at == "gap" and (said := self._unread.lstrip()):
            self._at, self._unread = "answer", said
        return self._release() if self._at == "answer" else ""

    @property
    def is_thinking(self) -> bool:
        """The thought has not ended."""
        return self._at == "thought"

    def end(self) -> str:
        """Returns text that waited because it could have been the beginning of a thought."""
        return self._release() if self._at == "begin" else ""

    def _begin(self) -> None:
        begun = self._unread.lstrip()
        if begun.startswith(OPEN):
            self._at, self._unread = "thought", begun[len(OPEN) :]
        elif not OPEN.startswith(begun):
            self._at = "answer"

    def _think(self) -> None:
        _, close, after = self._unread.partition(_CLOSE)
        if close:
            self._at, self._unread = "gap", after
        else:
            self._unread = self._unread[-len(_CLOSE) :]

    def _release(self) -> str:
        said, self._unread = self._unread, ""
        return said
