"""The parts of a dashboard. Each function makes a piece of Grafana's JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 24
_NO_STEPS = [{"color": "green", "value": None}]


def query(expr: str, legend: str) -> Json:
    """One PromQL query. `legend` may name labels: `{{phase}}`."""
    return {"expr": expr, "legendFormat": legend, "datasource": _DATASOURCE, "range": True}


def rate(metric: str, by: str = "") -> str:
    """Sum of a counter's rate. `metric` may carry a selector."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}[$__rate_interval]))"


def or_zero(expr: str) -> str:
    """Zero instead of nothing: a counter with labels is absent until its first count."""
    return f"{expr} or vector(0)"


def quantiles(histogram: str, by: str = "") -> list[Json]:
    """Median and 95th percentile of a histogram."""
    buckets = rate(f"{histogram}_bucket", f"le, {by}" if by else "le")
    legend = f" {{{{{by}}}}}" if by else ""
    return [
        query(f"histogram_quantile({quantile}, {buckets})", f"p{quantile * 100:.0f}{legend}")
        for quantile in (0.5, 0.95)
    ]


def graph(title: str, unit: str, description: str, queries: Sequence[Json]) -> Json:
    """Lines over time. `unit` is one of Grafana's ids (`s`, `short`), or `suffix: ...`."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 10,
        "showPoints": "auto",
        "spanNulls": False,
    }
    return _panel("timeseries", title, description, queries) | {
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def number(title: str, description: str, queries: Sequence[Json], *, mappings: Sequence[Json] = ()) -> Json:
    """The newest value, large. `mappings` may give values names and colours."""
    defaults = {
        "unit": "short",
        "mappings": list(mappings),
        "thresholds": {"mode": "absolute", "steps": _NO_STEPS},
    }
    return _panel("stat", title, description, queries) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background",
            "graphMode": "none",
            "textMode": "value_and_name" if len(queries) > 1 or mappings else "value",
        },
    }


def warn_above_zero(panel: Json) -> Json:
    steps = [*_NO_STEPS, {"color": "red", "value": 1}]
    panel["fieldConfig"]["defaults"]["thresholds"]["steps"] = steps
    return panel


def _panel(kind: str, title: str, description: str, queries: Sequence[Json]) -> Json:
    targets = [{"refId": chr(ord("A") + place), **each} for place, each in enumerate(queries)]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": _DATASOURCE,
        "targets": targets,
    }


def dashboard(uid: str, title: str, sections: Sequence[tuple[str, int, Sequence[Json]]]) -> Json:
    """`sections`: a heading, the height of its panels, and the panels, which share the width."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["pandora"],
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {"text": "Prometheus", "value": "prometheus"},
                }
            ]
        },
        "panels": [{"id": place, **panel} for place, panel in enumerate(_placed(sections), start=1)],
    }


def _placed(sections: Sequence[tuple[str, int, Sequence[Json]]]) -> Iterator[Json]:
    y = 0
    for heading, height, panels in sections:
        yield {
            "type": "row",
            "title": heading,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
        }
        width = _COLUMNS // len(panels)
        for place, panel in enumerate(panels):
            yield panel | {"gridPos": {"x": place * width, "y": y + 1, "w": width, "h": height}}
        y += 1 + height
