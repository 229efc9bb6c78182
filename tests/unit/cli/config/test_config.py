"""`pandora config`: each setting, its value and its origin."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.client.address import gateway_url
from cli.config.settings import describe_all
from cli.main import app


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
