"""The images of a turn, and what they show."""

from collections.abc import Sequence
from typing import Final

import msgspec

MOST_IMAGES: Final = 8
"""Of one turn."""


class SeenImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a turn, and what EYES saw in it."""

    file_id: str
    """The file."""
    name: str
    """The file's name as it was uploaded, or its id where no name is known."""
    description: str = ""
    """What it shows."""
    problem: str = ""
    """Why it was not looked at. Then there is no description."""

    @property
    def words(self) -> str:
        """For people and models."""
        return f"[Image {self.name}: {self.description or f'not seen, {self.problem}'}]"


def said_with_images(said: str, images: Sequence[SeenImage]) -> str:
    """A user's words, then what the images show: what later turns learn of both."""
    return "\n\n".join([said, *(image.words for image in images)])
