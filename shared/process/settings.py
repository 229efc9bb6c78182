"""Settings, from the environment and from `.env`. A wrong one ends the start with one line.

Each process has a class of its own that adds to `CommonSettings`. Units are in the names. `.env.example` has
every setting (a test in tests/house compares).
"""

import os
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.process.environment import DATA_DIR, ENV_ENCODING, ENV_FILE, SettingsError, in_env_file
from shared.process.room import Disk


class CommonSettings(BaseSettings):
    """The settings that every process has: bus, data folder, logs."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding=ENV_ENCODING,
        extra="ignore",
        env_ignore_empty=True,
        validate_default=True,
    )

    pandora_data_dir: Path = Field(Path(DATA_DIR), description="folder of all data, logs and documents")
    disk_reserve_bytes: int = Field(
        24 * 1024 * 1024,
        ge=0,
        le=1024**4,
        description="room kept free on the disk of PANDORA_DATA_DIR; with less nothing new is taken in",
    )
    nats_url: str | None = Field(
        None, pattern=r"^(nats|tls|ws|wss)://", description="a NATS server; unset: the embedded one"
    )
    nats_port: int = Field(4222, ge=1, le=65535, description="port of the embedded NATS server")
    nats_users_dir: Path | None = Field(
        None,
        description="folder of the seeds by which processes connect; unset: nats-users in PANDORA_DATA_DIR",
    )
    nats_tls_ca_file: Path | None = Field(
        None, description="who signed the certificate of NATS, a PEM file; unset: as the system trusts"
    )
    nats_tls_cert_file: Path | None = Field(
        None, description="certificate by which a process shows itself to NATS, a PEM file"
    )
    nats_tls_key_file: Path | None = Field(None, description="key of NATS_TLS_CERT_FILE, a PEM file")
    bind_host: str = Field("127.0.0.1", description="address that health and metrics ports listen on")
    request_timeout_seconds: float = Field(
        5.0, gt=0, le=120, description="longest wait for a reply on the bus"
    )
    publish_retry_seconds: float = Field(
        15.0, ge=0, le=600, description="how long storing an event is tried again while NATS cannot"
    )
    stop_timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="longest wait for work in hand at a stop"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")
    log_format: Literal["text", "json"] = Field("text", description="form of a log line")
    otel_exporter_otlp_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="OTLP/HTTP collector for traces; unset: none are sent"
    )

    @property
    def disk(self) -> Disk:
        """Of the data folder."""
        return Disk(self.pandora_data_dir, self.disk_reserve_bytes)

    @property
    def nats_users(self) -> Path:
        """The folder of the seeds by which processes connect."""
        return self.nats_users_dir or self.pandora_data_dir / "nats-users"

    @property
    def bus_url(self) -> str:
        return self.nats_url or f"nats://127.0.0.1:{self.nats_port}"


class FileSettings(CommonSettings):
    """The limit of uploads, for the gateway and the orchestrator."""

    file_limit_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="largest file that may be uploaded"
    )


class PostgresSettings(CommonSettings):
    """PostgreSQL by one URL, or by the parts of it for the embedded server."""

    database_url: SecretStr | None = Field(
        None,
        description="a PostgreSQL server, postgresql://user:password@host:port/db; unset: the embedded one",
    )
    postgres_host: str = Field("127.0.0.1", description="address of the embedded PostgreSQL")
    postgres_port: int = Field(5432, ge=1, le=65535, description="port of the embedded PostgreSQL")
    postgres_db: str = Field("pandora", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="database name")
    postgres_user: str = Field("pandora", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="database user")
    postgres_password: SecretStr = Field(SecretStr("pandora"), description="database password")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("it must look like postgresql://user:password@host:port/db")
        return value

    @property
    def dsn(self) -> str:
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        password = quote(self.postgres_password.get_secret_value(), safe="")
        return (
            f"postgresql://{self.postgres_user}:{password}"
            f"@{self.postgres_host}:{self.postgres_port}/{self.postgres_db}"
        )


S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S]) -> S:
    """Raises SettingsError with one line for the first wrong setting."""
    in_env_file()  # It says in one line why the file cannot be read.
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(_line(error.errors()[0])) from error


def _line(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    advice = f"Correct it in the environment or in {ENV_FILE}."
    if not detail["loc"]:  # About several settings. The message names them; the input has secrets.
        return f"{message}. {advice}"
    name = str(detail["loc"][0]).upper()
    value = "***" if _is_secret_name(name) else repr(detail.get("input"))
    return f"{name}={value}: {message}. {advice}"


def _is_secret_name(name: str) -> bool:
    return any(word in name for word in ("PASSWORD", "KEY", "DATABASE_URL", "REDIS_URL", "REDIS_CACHE_URL"))


def describe(settings: BaseSettings) -> list[tuple[str, str, str]]:
    """Returns (name, value, origin) of every setting, for people. Secrets are hidden."""
    in_file = in_env_file()
    in_environment = {name.upper(): value for name, value in os.environ.items() if value}
    rows = []
    for field in type(settings).model_fields:
        name = field.upper()
        origin = "environment" if name in in_environment else ENV_FILE if name in in_file else "default"
        rows.append((name, _shown(getattr(settings, field)), origin))
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return "********" if isinstance(value, SecretStr) else str(value)
