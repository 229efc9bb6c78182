"""Where Redis is: one server for what must not be lost, one for what may be."""

from pydantic import Field, SecretStr, field_validator

from shared.process.settings import CommonSettings

_SCHEMES = ("redis://", "rediss://", "valkey://", "valkeys://")


class RedisSettings(CommonSettings):
    """Two servers, so that a cache which fills up never pushes out a count."""

    redis_url: SecretStr | None = Field(
        None,
        description="a Redis server that counts for the limits, redis://:password@host:port/0; unset: the "
        "embedded one",
    )
    redis_cache_url: SecretStr | None = Field(
        None, description="a Redis server for caches, which may forget; unset: the embedded one"
    )

    @field_validator("redis_url", "redis_cache_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_SCHEMES):
            raise ValueError("it must look like redis://:password@host:port/0, or rediss:// for TLS")
        return value
