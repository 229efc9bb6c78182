"""What a test needs, and a machine may lack."""

import os
from typing import NoReturn

import pytest


def skip_unless_ci(reason: str) -> NoReturn:
    """`.ci/run` installs all that tests need, so there nothing may be skipped, and the test fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
