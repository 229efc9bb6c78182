"""The version of Pandora that this process runs."""

from typing import Final

VERSION: Final = "0.1.0"
