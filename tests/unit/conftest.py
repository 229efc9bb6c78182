"""What tests of the pipeline, and those of the tools, have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.orchestrator.pipeline.pipeline_room import Rooms
from tests.unit.orchestrator.tools.tool_room import ToolRoom


@pytest.fixture
async def make_room(tmp_path: Path) -> AsyncIterator[Rooms]:
    rooms = Rooms(tmp_path)
    yield rooms
    await rooms.close()


@pytest.fixture
def tools() -> ToolRoom:
    return ToolRoom()
