"""`pandora config --example`: `.env.example`, written from the declarations of the settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cli.config.settings import SETTINGS

_HEAD = """\
# Every setting of Pandora with its default. Copy this file to `.env` and uncomment what you change; the
# environment goes before `.env`. Units are in the names. `pandora config` shows what is in force.
# Written by `pandora config --example > .env.example`."""

_COMPOSE = """
# --- docker compose ---------------------------------------------------------------------------------------
# The servers of docker-compose.yml instead of the embedded ones: after `docker compose up -d`, uncomment
# these. The user, password and database are those of POSTGRES_* above.
#NATS_URL=nats://127.0.0.1:4222
#DATABASE_URL=postgresql://pandora:pandora@127.0.0.1:5432/pandora
#QDRANT_URL=http://127.0.0.1:6333
#REDIS_URL=redis://127.0.0.1:6379/0
#REDIS_CACHE_URL=redis://127.0.0.1:6380/0
# Read by docker-compose.yml alone: ports on this machine, and the password of Grafana's user admin.
#QDRANT_PORT=6333
#QDRANT_GRPC_PORT=6334
#PROMETHEUS_PORT=9090
#GRAFANA_PORT=3000
#GRAFANA_ADMIN_PASSWORD=pandora"""


def render_example() -> str:
    return "\n".join([_HEAD, *_sections(), _COMPOSE, ""])


def _sections() -> Iterator[str]:
    seen: set[str] = set()
    for reader, kind in SETTINGS.items():
        yield f"\n# --- {reader} ".ljust(109, "-")
        for field, info in kind.model_fields.items():
            if field not in seen:
                yield f"# {info.description}{_allowed(info)}"
                yield f"#{field.upper()}={_written(info.default)}"
        seen |= set(kind.model_fields)


def _written(default: Any) -> str:
    match default:
        case None:
            return ""
        case SecretStr():
            return default.get_secret_value()
        case bool():
            return str(default).lower()
        case Path() | str() | int():
            return str(default)
        case float():
            return f"{default:g}"
    raise TypeError(f"no form in .env for {default!r}; add one here")


def _allowed(info: FieldInfo) -> str:
    """Returns ` (1 to 65535)`, ` (INFO, DEBUG)` or "", as the setting is declared."""
    if get_origin(info.annotation) is Literal:
        return f" ({', '.join(get_args(info.annotation))})"
    limits = {
        name: f"{value:g}" if value < 1e6 else f"{value:,}"
        for name in ("ge", "gt", "le", "lt")
        for value in (getattr(rule, name, None) for rule in info.metadata)
        if value is not None
    }
    low = limits.get("ge") or (f"above {limits['gt']}" if "gt" in limits else "")
    high = limits.get("le") or (f"below {limits['lt']}" if "lt" in limits else "")
    if low and high:
        return f" ({low} to {high})"
    return f" (at least {low})" if "ge" in limits else f" ({low or high})" if low or high else ""
