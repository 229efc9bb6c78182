"""`pandora config`: each setting, its value and its origin."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.client.address import gateway_url
from cli.config.settings import describe_all
from cli.main import app
from services.gateway.settings import GatewaySettings
from shared.process.environment import SettingsError
from shared.process.settings import CommonSettings, load


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


def test_a_name_that_nothing_reads_is_told_with_the_nearest_that_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "INFRENCE_PORT=1\nQWERTYUIOP=2\ngateway_port=9001\nGRAFANA_PORT=3001\n", encoding="utf-8"
    )

    result = CliRunner().invoke(app, ["config"])

    assert [line for line in result.stderr.splitlines() if line] == [
        "INFRENCE_PORT in .env is no setting, and nothing reads it. Did you mean INFERENCE_PORT?",
        "QWERTYUIOP in .env is no setting, and nothing reads it. `pandora config` shows what there is.",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("LOG_LEVEL=DEBUG\n".encode("utf-16"), "is not UTF-8; it may be UTF-16 or Latin-1. Save it as UTF-8"),
        ("LOG_LEVEL=DEBUG\n".encode("utf-16-le"), "is not UTF-8"),
        ("POSTGRES_PASSWORD=café\n".encode("latin-1"), "is not UTF-8"),
        (None, "cannot be read: Is a directory. Make it a file"),
    ],
)
def test_an_env_file_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    if content is None:
        (tmp_path / ".env").mkdir()
    else:
        (tmp_path / ".env").write_bytes(content)

    with pytest.raises(SettingsError, match=says) as refused:
        load(CommonSettings)

    assert "\n" not in str(refused.value)
    assert str(tmp_path / ".env") in str(refused.value)
    with pytest.raises(SettingsError, match=says):
        gateway_url()


def test_an_env_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_PORT=9001\n", encoding="utf-8-sig")

    assert load(GatewaySettings).gateway_port == 9001
    assert gateway_url() == "http://127.0.0.1:9001"
