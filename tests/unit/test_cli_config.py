"""`pandora config`, `pandora logs`, and the lines that a wrong call gets."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.follow import Reader
from cli.main import app
from cli.settings import describe_all, gateway_url
from shared.errors import SettingsError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_setting_is_shown_once_with_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=DEBUG\nGATEWAY_PORT=1234\n")
    monkeypatch.setenv("GATEWAY_PORT", "4321")

    rows = describe_all()

    assert len({name for name, _, _ in rows}) == len(rows)
    assert ("LOG_LEVEL", "DEBUG", ".env") in rows
    assert ("GATEWAY_PORT", "4321", "environment") in rows
    assert ("NATS_PORT", "4222", "default") in rows


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "POSTGRES_PASSWORD": "tell-nobody",
        "DATABASE_URL": "postgresql://me:tell-nobody@localhost/db",
        "API_KEYS": "me:tell-nobody",
        "OPENAI_API_KEY": "tell-nobody",
        "QDRANT_API_KEY": "tell-nobody",
        "PANDORA_API_KEY": "tell-nobody",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)

    result = CliRunner().invoke(app, ["config", "--json"])

    assert result.exit_code == 0
    assert "tell-nobody" not in result.output


def test_the_gateway_is_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "9001")
    assert gateway_url() == "http://127.0.0.1:9001"

    monkeypatch.setenv("PANDORA_URL", "https://pandora.example/")
    assert gateway_url() == "https://pandora.example"


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
