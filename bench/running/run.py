"""What one measurement is given."""

from pathlib import Path

import msgspec

from bench.running.code import OWN, Code
from bench.running.parts import Installation


class Run(msgspec.Struct, frozen=True):
    folder: Path
    """Its own, and empty."""
    quick: bool = False
    """A few seconds for each measurement; the figures say little."""
    code: Code = OWN

    def installation(self, name: str = "", **settings: str) -> Installation:
        """An installation of the code that is measured, in the folder `name` below the run's own."""
        return Installation(self.folder / name, self.code, **settings)
