"""The committed dashboards: made from their Python, laid out without overlaps, true to the metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from deploy.grafana.build import FOLDER, files
from shared.process import metrics

DASHBOARDS = sorted(FOLDER.glob("*.json"))


def test_the_dashboards_are_what_their_python_says() -> None:
    made = dict(files())

    assert sorted(made) == DASHBOARDS
    assert {path: path.read_text() for path in made} == made, "run `python -m deploy.grafana.build`"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_the_panels_of_a_dashboard_have_their_own_ids_titles_and_places(path: Path) -> None:
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    cells = [cell for panel in panels for cell in _cells(panel["gridPos"])]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells), "panels overlap"
    assert all(0 <= x < 24 for x, _ in cells)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_names_only_metrics_and_labels_that_exist(path: Path) -> None:
    """`or vector(0)` would hide a wrong name from every other test."""
    known = {name: set(labels) for name, labels in _metrics()}
    wrong = []
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            for name, selector in re.findall(r"(pandora_\w+)(?:\{([^}]*)\})?", target["expr"]):
                family = re.sub(r"_(bucket|sum|count)$", "", name)
                labels = set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", selector))
                if family not in known or labels - known[family]:
                    wrong.append(f"{panel['title']}: {name}{{{selector}}}")

    assert wrong == []


def _metrics() -> Iterator[tuple[str, tuple[str, ...]]]:
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            suffix = "_total" if isinstance(metric, Counter) else ""
            yield metric._name + suffix, metric._labelnames


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y
