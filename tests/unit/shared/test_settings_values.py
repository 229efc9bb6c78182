"""A wrong setting ends the start with one line: its name, its value, what is allowed."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.gateway.settings import GatewaySettings
from services.indexer.settings import IndexerSettings
from services.orchestrator.settings import OrchestratorSettings
from shared.process.environment import SettingsError
from shared.process.settings import CommonSettings, PostgresSettings, describe, load


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder without `.env`, and an environment without any setting."""
    monkeypatch.chdir(tmp_path)
    for kind in (GatewaySettings, IndexerSettings, OrchestratorSettings):
        for field in kind.model_fields:
            monkeypatch.delenv(field.upper(), raising=False)


def refusal(kind: type[BaseSettings]) -> str:
    with pytest.raises(SettingsError) as error:
        load(kind)
    return str(error.value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "allowed"),
    [
        (GatewaySettings, "GATEWAY_PORT", "ninethousand", "integer"),
        (GatewaySettings, "GATEWAY_PORT", "0", "greater than or equal to 1"),
        (GatewaySettings, "GATEWAY_PORT", "65536", "less than or equal to 65535"),
        (GatewaySettings, "INPUT_LIMIT_BYTES", "0", "greater than or equal to 1"),
        (GatewaySettings, "HEARTBEAT_SECONDS", "-1", "greater than 0"),
        (GatewaySettings, "HEARTBEAT_SECONDS", "nan", "less than or equal to 300"),
        (OrchestratorSettings, "TURN_TIMEOUT_SECONDS", "soon", "number"),
        (OrchestratorSettings, "QUEUE_LIMIT_TURNS", "0", "greater than or equal to 1"),
        (CommonSettings, "NATS_URL", "localhost:4222", "nats|tls|ws|wss"),
        (CommonSettings, "LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        (IndexerSettings, "QDRANT_URL", "qdrant:6333", "https?://"),
        (IndexerSettings, "EMBEDDING_DTYPE", "int8", "'auto', 'float32' or 'bfloat16'"),
        (PostgresSettings, "POSTGRES_DB", 'x"; DROP DATABASE y', "pattern"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)

    line = refusal(kind)

    assert line.startswith(f"{name}={value!r}: ")
    assert allowed in line
    assert line.endswith("Correct it in the environment or in .env.")
    assert "\n" not in line


def test_a_wrong_value_in_the_file_is_named_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_PORT=none\n")

    assert refusal(GatewaySettings).startswith("GATEWAY_PORT='none': ")


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_PORT=9001\nHEARTBEAT_SECONDS=7\n")
    monkeypatch.setenv("GATEWAY_PORT", "9002")

    settings = load(GatewaySettings)

    assert (settings.gateway_port, settings.heartbeat_seconds) == (9002, 7.0)


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env.example` lists what is unset as `NATS_URL=`."""
    monkeypatch.setenv("NATS_URL", "")
    monkeypatch.setenv("GATEWAY_PORT", "")

    settings = load(GatewaySettings)

    assert settings.bus_url == "nats://127.0.0.1:4222"
    assert settings.gateway_port == 9000


# --- who may come in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        *((host, False) for host in ("0.0.0.0", "::", "192.168.1.10", "pandora.example.org")),  # noqa: S104
        *((host, True) for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost")),
    ],
)
def test_an_address_that_only_this_machine_reaches_is_told_from_others(
    monkeypatch: pytest.MonkeyPatch, host: str, is_loopback: bool
) -> None:
    monkeypatch.setenv("GATEWAY_HOST", host)

    assert load(GatewaySettings).is_loopback is is_loopback


def test_with_keys_everybody_may_knock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("API_KEYS", "alice:alice-secret-key, bob:a:key:with:colons,")

    assert load(GatewaySettings).users_by_key() == {
        "alice-secret-key": "alice",
        "a:key:with:colons": "bob",
    }


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("alice", "user:key"),
        ("alice:", "user:key"),
        (":a-long-enough-key", "user:key"),
        ("alice:short", "at least 8 characters"),
        ("alice:long-enough-key,bob", "user:key"),
        ("al ice:long-enough-key", "user"),
        ("a*:long-enough-key", "user"),
        ("alice:the-same-key,bob:the-same-key", "one user"),
    ],
)
def test_a_key_that_lets_nobody_in_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, keys: str, why: str
) -> None:
    monkeypatch.setenv("API_KEYS", keys)

    line = refusal(GatewaySettings)

    assert line.startswith("API_KEYS=***: ")
    assert why in line
    assert "\n" not in line
    assert not any(secret in line for secret in ("long-enough-key", "short", "the-same-key"))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OIDC_ALGORITHMS", "RS256,none", "each has to be one of ES256"),
        ("OIDC_ALGORITHMS", "HS256", "each has to be one of ES256"),
        ("TRUSTED_PROXIES", "10.0.0.1, proxy", "'proxy' does not appear to be an IPv4 or IPv6 network"),
        ("CORS_ORIGINS", "https://chat.example.org/path", "no origin"),
        ("GATEWAY_TLS_CERT_FILE", "certificate.pem", "GATEWAY_TLS_KEY_FILE go together"),
    ],
)
def test_what_would_open_more_than_was_meant_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(name, value)

    line = refusal(GatewaySettings)

    assert name in line
    assert why in line


# --- who is an admin ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "named", "admins"),
    [
        ("", "", {"local"}),
        ("", "local", {"local"}),
        ("alice:alice-secret-key", "", set()),
        ("alice:alice-secret-key,local:local-secret-key", "", set()),
        ("alice:alice-secret-key,bob:bob-secret-key", " bob, ", {"bob"}),
        ("alice:alice-secret-key,bob:bob-secret-key", "bob,alice", {"alice", "bob"}),
    ],
)
def test_with_keys_nobody_is_an_admin_who_is_not_named(
    monkeypatch: pytest.MonkeyPatch, keys: str, named: str, admins: set[str]
) -> None:
    monkeypatch.setenv("API_KEYS", keys)
    monkeypatch.setenv("ADMIN_USERS", named)

    assert load(GatewaySettings).admins() == admins


@pytest.mark.parametrize("keys", ["", "alice:alice-secret-key"])
def test_an_admin_without_a_key_ends_the_start_and_is_named(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("API_KEYS", keys)
    monkeypatch.setenv("ADMIN_USERS", "carol")

    line = refusal(GatewaySettings)

    assert line.startswith("ADMIN_USERS names 'carol', and API_KEYS has no such user; there are: ")
    assert "secret" not in line


# --- where the servers are ---------------------------------------------------------------------------------


def test_the_database_is_made_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "p@ss/word:1")
    monkeypatch.setenv("POSTGRES_PORT", "5433")

    assert load(PostgresSettings).dsn == "postgresql://pandora:p%40ss%2Fword%3A1@127.0.0.1:5433/pandora"


def test_one_url_goes_before_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db:5432/notes")
    monkeypatch.setenv("POSTGRES_PORT", "5433")

    assert load(PostgresSettings).dsn == "postgresql://me:secret@db:5432/notes"


@pytest.mark.parametrize("url", ["mysql://me:secret@db/notes", "db:5432/notes?password=secret", "secret"])
def test_a_url_of_no_postgres_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    line = refusal(PostgresSettings)

    assert line.startswith("DATABASE_URL=***: ")
    assert "postgresql://" in line
    assert "secret" not in line


# --- what people are shown ---------------------------------------------------------------------------------


def test_every_setting_is_shown_with_its_origin_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("NATS_PORT=4333\nPOSTGRES_PASSWORD=hush-hush\nPOSTGRES_PORT=1\n")
    monkeypatch.setenv("POSTGRES_PORT", "5433")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush-hush@db/notes")
    monkeypatch.setenv("QDRANT_API_KEY", "hush-hush")

    rows = describe(load(IndexerSettings))

    shown = {name: (value, origin) for name, value, origin in rows}
    assert list(shown) == [field.upper() for field in IndexerSettings.model_fields]
    assert shown["NATS_PORT"] == ("4333", ".env")
    assert shown["POSTGRES_PORT"] == ("5433", "environment")
    assert shown["INDEXER_PORT"] == ("8091", "default")
    assert shown["QDRANT_URL"] == ("", "default")
    assert shown["POSTGRES_PASSWORD"] == ("********", ".env")
    assert shown["DATABASE_URL"] == ("********", "environment")
    assert shown["QDRANT_API_KEY"] == ("********", "environment")
    assert "hush" not in repr(rows)


def test_a_secret_is_not_told_by_the_settings_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "alice:hush-hush-hush")

    assert "hush" not in repr(load(GatewaySettings))
