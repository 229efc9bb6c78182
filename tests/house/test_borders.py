"""The rooms keep their borders: who imports whom, how long a file grows, how a metric is called."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from shared.process import metrics

ROOT = Path(__file__).parents[2]
ROOMS = ("shared", "services", "cli", "deploy", "bench")
LONGEST_FILE_LINES = 350
LABELS = {
    "outcome",
    "phase",
    "durable",
    "result",
    "subject",
    "stream",
    "place",
    "kind",
    "direction",
    "finish_reason",
    "method",
    "role",
    "route",
    "status",
    "tool",
    "answer",
}
"""Each takes its values from a closed set: no ids, no users, no text."""
UNITS = (
    r"(seconds|bytes|tokens|turns|messages|letters|requests|errors|rows|points|readers|calls|answers|running|"
    r"ratio)"
)


def test_nobody_imports_what_is_none_of_their_business() -> None:
    """Each contract of import-linter in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    declared = (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")

    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Contracts: {declared} kept, 0 broken." in run.stdout


def test_no_file_grows_beyond_what_one_can_hold_in_ones_head() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources()}

    assert lines
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE_LINES} == {}


def test_no_file_is_named_after_nothing() -> None:
    empty_words = {"utils", "helpers", "common", "base", "manager", "service", "misc"}

    assert [path for path in sources() if path.stem in empty_words] == []


def test_the_sources_say_in_their_first_line_what_they_are_for() -> None:
    mute = [path for path in sources() if path.stat().st_size and not path.read_text().startswith('"""')]

    assert mute == []


METRICS = [metric for metric in vars(metrics).values() if isinstance(metric, Counter | Gauge | Histogram)]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric._name))
def test_a_metric_is_named_after_a_noun_and_a_unit(metric: Counter | Gauge | Histogram) -> None:
    assert re.fullmatch(rf"pandora_([a-z]+_)*{UNITS}", metric._name)
    assert metric._documentation.endswith(".")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric._name))
def test_a_metric_has_no_label_without_a_closed_set(metric: Counter | Gauge | Histogram) -> None:
    assert set(metric._labelnames) <= LABELS


def sources() -> list[Path]:
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
