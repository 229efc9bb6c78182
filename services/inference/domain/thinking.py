"""What a model thinks between `<think>` and `</think>`, before its answer, is no part of the answer."""

from typing import Literal

OPEN = "<think>"
_CLOSE = "</think>"


class ThoughtFilter:
    """Fed with the pieces of an answer; gives back what of them is to be said."""

    def __init__(self, *, is_open: bool = False) -> None:
        """`is_open`: the prompt ends within a thought, as some templates have it."""
        self._at: Literal["begin", "thought", "gap", "answer"] = "thought" if is_open else "begin"
        self._held = ""

    def feed(self, piece: str) -> str:
        if self._at == "answer":
            return piece
        self._held += piece
        if self._at == "begin":
            self._begin()
        if self._at == "thought":
            self._think()
        if self._at == "gap" and (said := self._held.lstrip()):
            self._at, self._held = "answer", said
        return self._release() if self._at == "answer" else ""

    def end(self) -> str:
        """What was held back and turns out to be no thought."""
        return self._release() if self._at == "begin" else ""

    def _begin(self) -> None:
        begun = self._held.lstrip()
        if begun.startswith(OPEN):
            self._at, self._held = "thought", begun[len(OPEN) :]
        elif not OPEN.startswith(begun):
            self._at = "answer"

    def _think(self) -> None:
        _, close, after = self._held.partition(_CLOSE)
        if close:
            self._at, self._held = "gap", after
        else:
            self._held = self._held[-len(_CLOSE) :]

    def _release(self) -> str:
        said, self._held = self._held, ""
        return said
