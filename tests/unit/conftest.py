"""What tests of the pipeline have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.pipeline_room import Rooms


@pytest.fixture
async def make_room(tmp_path: Path) -> AsyncIterator[Rooms]:
    rooms = Rooms(tmp_path)
    yield rooms
    await rooms.close()
