"""What is added to a turn while it runs, until its answer is given."""

from collections.abc import Sequence


class Steering:
    """Of one run of a turn."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.texts = list(texts)
        self._is_open = True

    def add(self, text: str) -> bool:
        """False where it comes too late."""
        if self._is_open:
            self.texts.append(text)
        return self._is_open

    def close(self, heard: Sequence[str]) -> bool:
        """Before an answer is given. False, and nothing is closed, where more was said than it knows of."""
        self._is_open = len(heard) < len(self.texts)
        return not self._is_open

    def open(self) -> None:
        """For the next phase."""
        self._is_open = True
