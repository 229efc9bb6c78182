"""Settings of the gateway."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final

from limits import RateLimitItem, parse_many
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from shared.contract.events import LOCAL_USER
from shared.process.environment import CLIENT_SILENCE_SECONDS, GATEWAY_HOST, GATEWAY_PORT, reachable
from shared.process.settings import FileSettings
from shared.redis.settings import RedisSettings

ASYMMETRIC: Final = frozenset(
    {f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)} | {"EdDSA"}
)
"""What a provider may sign with. With HS256, all who know the public key could sign; with `none`, anybody."""
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s,]+")
_USER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
"""As `User` of the events: a key for another name would let in a user whose turns cannot be read."""


_RATE_FORM = "it must look like 600/minute, 1000000/day or 20 per 10 seconds"


def rate(text: str) -> RateLimitItem | None:
    """Returns None where there is no limit. Raises ValueError."""
    if not text.strip():
        return None
    try:
        [item] = parse_many(text)
    except ValueError:
        raise ValueError(_RATE_FORM) from None
    if item.amount < 1:
        raise ValueError(f"{_RATE_FORM}; leave it empty for no limit")
    return item


def _checked(text: str) -> str:
    rate(text)
    return text


Rate = Annotated[str, AfterValidator(_checked)]


class LimitSettings(RedisSettings):
    """Of each user, over all gateways. Empty, or 0, is no limit."""

    limit_requests: Rate = Field(
        "", description="most requests of a user over HTTP, like 600/minute; empty: no limit"
    )
    limit_key_requests: Rate = Field(
        "", description="most requests with one key, like 60/minute; empty: no limit"
    )
    limit_bytes: Rate = Field(
        "", description="most bytes in the bodies of a user's requests, like 1000000000/day; empty: no limit"
    )
    limit_tokens: Rate = Field(
        "",
        description="most tokens of a user, read and written by engines, like 1000000/day; empty: no limit",
    )
    limit_turns: int = Field(
        0, ge=0, le=10_000, description="most turns of a user that wait or run at once; 0: no limit"
    )

    @property
    def has_limits(self) -> bool:
        limits = (self.limit_requests, self.limit_key_requests, self.limit_bytes, self.limit_tokens)
        return any(limits) or self.limit_turns > 0


class GatewaySettings(FileSettings, LimitSettings):
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
    oidc_issuer: str | None = Field(
        None, pattern=r"^https?://", description="OpenID Connect provider whose tokens are taken; unset: none"
    )
    oidc_audience: str = Field("pandora", min_length=1, description="`aud` that those tokens must have")
    oidc_algorithms: str = Field("RS256,ES256", description="what they may be signed with; never HS or none")
    oidc_user_claim: str = Field("sub", min_length=1, description="claim that names the user")
    oidc_role_claim: str = Field(
        "", description="claim with the role or roles, like realm_access.roles; empty: all are users"
    )
    oidc_leeway_seconds: float = Field(
        30.0, ge=0, le=600, description="how far the clocks of the provider and the gateway may differ"
    )
    gateway_tls_cert_file: Path | None = Field(
        None, description="PEM file of the certificate chain for HTTPS, read again as it changes; unset: HTTP"
    )
    gateway_tls_key_file: Path | None = Field(None, description="PEM file of the key of that certificate")
    allowed_hosts: str = Field(
        "", description="names in URLs that lead here, separated by commas; on loopback its own are known"
    )
    cors_origins: str = Field(
        "",
        description="origins whose pages may ask, like https://chat.example.org, separated by commas; or *",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses or networks of proxies whose X-Forwarded-* is believed, separated by commas",
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
    openai_routes_strict: bool = Field(
        False, description="requests of OpenAI's clients with unknown fields are refused, not ignored"
    )
    client_silence_seconds: float = Field(
        CLIENT_SILENCE_SECONDS,
        gt=0,
        le=3600,
        description="a client that takes longer for a request's head, or for 1 KiB of its body, is cut off",
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
        for pair in listed(value.get_secret_value()):
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
    def url(self) -> str:
        """By which this machine reaches the gateway."""
        scheme = "http" if self.gateway_tls_cert_file is None else "https"
        return f"{scheme}://{reachable(self.gateway_host)}:{self.gateway_port}"

    @property
    def is_loopback(self) -> bool:
        """Only this machine reaches GATEWAY_HOST."""
        if self.gateway_host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.gateway_host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "GatewaySettings":
        if (self.gateway_tls_cert_file is None) != (self.gateway_tls_key_file is None):
            raise ValueError(
                "GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE go together; set both or neither"
            )
        return self

    @field_validator("oidc_algorithms")
    @classmethod
    def _are_asymmetric(cls, value: str) -> str:
        if not (names := listed(value)) or not ASYMMETRIC.issuperset(names):
            raise ValueError(f"each has to be one of {', '.join(sorted(ASYMMETRIC))}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for proxy in listed(value):
            ipaddress.ip_network(proxy)  # It raises ValueError with the address.
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for origin in listed(value):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; write scheme, name and port, and no path")
        return value

    def admins(self) -> frozenset[str]:
        named = frozenset(listed(self.admin_users))
        return named if named or self.users_by_key() else frozenset({LOCAL_USER})

    def users_by_key(self) -> dict[str, str]:
        pairs = (pair.partition(":") for pair in listed(self.api_keys.get_secret_value()))
        return {key: user for user, _, key in pairs if key}


def listed(value: str) -> list[str]:
    """The entries of a setting that are separated by commas."""
    return [entry for entry in map(str.strip, value.split(",")) if entry]
