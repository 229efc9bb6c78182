"""What the bench does for code that is older than the bench."""

import sys
from pathlib import Path

import nats

from bench.running.code import Code
from bench.running.parts import Installation


async def test_code_that_knows_no_credentials_is_let_in_without_any(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", Code(tmp_path / "code", Path(sys.executable)))

    async with installation.running("nats"):
        with_credentials = await installation.bus()
        without = await nats.connect(installation.settings.local.bus_url)
        assert with_credentials.is_connected
        assert without.is_connected
        await without.close()
        await with_credentials.close()
