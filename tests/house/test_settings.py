"""Every setting is written down in `.env.example`, and nothing else is."""

import re
from pathlib import Path

import pytest

from cli.config.env_example import render_example
from cli.config.settings import SETTINGS
from shared.process.settings import CommonSettings

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
NAMED = set(re.findall(r"^#([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))
COMPOSE_ONLY = {
    "QDRANT_PORT",
    "QDRANT_GRPC_PORT",
    "PROMETHEUS_PORT",
    "GRAFANA_PORT",
    "GRAFANA_ADMIN_PASSWORD",
}
"""What only docker-compose.yml reads."""
KNOWN = {field.upper() for kind in SETTINGS.values() for field in kind.model_fields}


def settings_classes() -> list[type[CommonSettings]]:
    found = [CommonSettings]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if not kind.__module__.startswith("test")]


def test_the_example_lists_every_setting_with_its_default_and_its_meaning() -> None:
    assert render_example() == EXAMPLE, "run `pandora config --example > .env.example`"


def test_the_example_names_nothing_that_nobody_reads() -> None:
    assert NAMED - COMPOSE_ONLY == KNOWN


@pytest.mark.parametrize("kind", settings_classes(), ids=lambda kind: kind.__name__)
def test_every_class_of_settings_is_listed(kind: type[CommonSettings]) -> None:
    assert kind in SETTINGS.values()


def test_every_setting_has_a_description() -> None:
    bare = [
        name
        for kind in SETTINGS.values()
        for name, field in kind.model_fields.items()
        if not field.description
    ]
    assert bare == []


def test_docker_compose_reads_only_what_the_example_names() -> None:
    read = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))

    assert read <= NAMED
