"""`pandora logs`: the names that there are, and lines that are added."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.run.logs import Reader
from shared.process.environment import SettingsError


def test_an_unknown_log_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no log of 'getaway'. There are: nats, .*gateway, launcher"):
        CliRunner().invoke(app, ["logs", "getaway"], catch_exceptions=False)


def test_a_log_is_followed_through_half_lines_and_rotation(tmp_path: Path) -> None:
    file = tmp_path / "gateway.log"
    reader = Reader("gateway", file)
    assert list(reader.new_lines()) == []

    file.write_text("one\ntw")
    assert list(reader.new_lines()) == ["one"]
    with file.open("a") as log:
        log.write("o\n")
    assert list(reader.new_lines()) == ["two"]

    file.rename(tmp_path / "gateway.log.1")
    file.write_text("three\n")
    assert list(reader.new_lines()) == ["three"]
