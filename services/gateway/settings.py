"""Settings of the gateway."""

import ipaddress
import re

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.contract.events import LOCAL_USER
from shared.process.environment import GATEWAY_HOST, GATEWAY_PORT
from shared.process.settings import FileSettings

_USER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
"""As `User` of the events: a key for another name would let in a user whose turns cannot be read."""


class GatewaySettings(FileSettings):
    """Where HTTP is served, to whom, and how much is taken."""

    gateway_host: str = Field(GATEWAY_HOST, description="address that HTTP is served on")
    gateway_port: int = Field(GATEWAY_PORT, ge=1, le=65535, description="port that HTTP is served on")
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="a fixed set of keys: user:key pairs, separated by commas; others: `pandora keys create`",
    )
    admin_users: str = Field(
        "",
        description="users of API_KEYS who may do everything; empty: nobody, or `local`",
    )
    openwebui_jwt_secret: SecretStr = Field(
        SecretStr(""),
        description="FORWARD_USER_INFO_HEADER_JWT_SECRET of Open WebUI, where it signs who its users are",
    )
    input_limit_bytes: int = Field(
        256 * 1024, ge=1, le=1024 * 1024, description="longest input of a turn, in UTF-8"
    )
    import_limit_bytes: int = Field(
        64 * 1024 * 1024, ge=1, le=1024**4, description="longest body of an import"
    )
    import_timeout_seconds: float = Field(
        120.0, gt=0, le=3600, description="longest wait until up to 256 imported messages are stored"
    )
    heartbeat_seconds: float = Field(15.0, gt=0, le=300, description="longest silence of an event stream")
    sse_buffer_events: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="events that wait for a slow reader; behind more it reads on from what is stored",
    )

    @field_validator("api_keys")
    @classmethod
    def _pairs(cls, value: SecretStr) -> SecretStr:
        keys: set[str] = set()
        for pair in filter(None, map(str.strip, value.get_secret_value().split(","))):
            user, _, key = pair.partition(":")
            if not _USER.fullmatch(user) or len(key) < 8:
                raise ValueError(
                    "each entry must be user:key, with a user of A-Z a-z 0-9 _ . @ - (at most 64) "
                    "and a key of at least 8 characters"
                )
            if key in keys:
                raise ValueError("each key must belong to one user")
            keys.add(key)
        return value

    @model_validator(mode="after")
    def _admins_have_keys(self) -> "GatewaySettings":
        users = set(self.users_by_key().values()) or {LOCAL_USER}
        for admin in sorted(self.admins()):
            if admin not in users:
                raise ValueError(
                    f"ADMIN_USERS names {admin!r}, and API_KEYS has no such user; "
                    f"there are: {', '.join(sorted(users))}"
                )
        return self

    @property
    def is_loopback(self) -> bool:
        """Only this machine reaches GATEWAY_HOST."""
        if self.gateway_host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.gateway_host).is_loopback
        except ValueError:
            return False

    def admins(self) -> frozenset[str]:
        named = frozenset(filter(None, map(str.strip, self.admin_users.split(","))))
        return named if named or self.users_by_key() else frozenset({LOCAL_USER})

    def users_by_key(self) -> dict[str, str]:
        pairs = (pair.strip().partition(":") for pair in self.api_keys.get_secret_value().split(","))
        return {key: user for user, _, key in pairs if key}
