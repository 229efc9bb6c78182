"""Writes the dashboards: `python -m deploy.grafana.build`.

Grafana's JSON is long and repeats itself, so the dashboards are described in Python. The JSON is made from
that and committed, since Grafana reads files. A house test compares the two.
tests/flow/dashboard/test_overview.py asks a real Prometheus every query.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from deploy.grafana.overview import OVERVIEW
from deploy.grafana.panels import Json

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS: dict[str, Json] = {"overview.json": OVERVIEW}


def files() -> Iterator[tuple[Path, str]]:
    """(path, text) of every dashboard."""
    for name, content in DASHBOARDS.items():
        yield FOLDER / name, json.dumps(content, indent=2) + "\n"


def main() -> None:
    for path, text in files():
        path.write_text(text)


if __name__ == "__main__":
    main()
