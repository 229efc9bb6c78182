"""Every query of every dashboard, put to a real Prometheus that scrapes the live services."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.flow.dashboard.prometheus import CONFIG, Prometheus, need, prometheus
from tests.stack import Stack

DASHBOARDS = Path(__file__).parents[3] / "deploy/grafana/dashboards"
SERVICES = ("gateway", "orchestrator", "indexer", "inference")
_SCRAPE_SECONDS = 1.0
_DATA_WITHIN_SECONDS = 30.0
# Elsewhere a zero is no data: a gauge without labels exists at zero before it is set.
_ZERO_IS_NORMAL = {
    "Turns in hand",
    "Event streams",
    "Dead letters",
    "Engine queue",
    "Not yet acknowledged",
    "Errors",
    "Waiting turns",
    "Turns that changed hands",
    "Slow readers",
    "Tool calls",
    "Approvals",
    "Reflection lag",
}
# Quantiles of nothing: the stack's engine thinks of no tool to call.
_BLANK_IS_NORMAL = {"Time in tools"}


async def test_every_panel_shows_data_after_a_few_turns(stack: Stack, tmp_path: Path) -> None:
    need("prometheus")
    async with prometheus(tmp_path, stack.ports, scrape=f"{_SCRAPE_SECONDS:g}s") as server:
        # A rate needs a counter that rises between two scrapes; most exist only from their first count.
        await stack.ask("My sister Mira lives in Lisbon and keeps bees.", session_id="dashboard-a")
        await asyncio.sleep(2 * _SCRAPE_SECONDS)
        await stack.ask("Where does my sister Mira live?", session_id="dashboard-b")
        await stack.ask("What does she keep?", session_id="dashboard-b")

        empty = await _panels_without_data(server)

    assert not empty, "no data in:\n" + "\n".join(empty)


@pytest.mark.parametrize("service", SERVICES)
async def test_the_metrics_of_a_service_are_well_formed(stack: Stack, service: str) -> None:
    need("promtool")
    url = f"http://127.0.0.1:{stack.ports[service]}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        exposed = await response.read()

    code, said = await _promtool("check", "metrics", given=exposed)

    assert code == 0, said


async def test_the_scrape_configuration_is_valid() -> None:
    need("promtool")

    code, said = await _promtool("check", "config", str(CONFIG))

    assert code == 0, said


async def _panels_without_data(server: Prometheus) -> list[str]:
    """Those that never had any; asked again for a while, since indexing goes on after the last answer."""
    waiting = list(_queries())
    deadline = asyncio.get_running_loop().time() + _DATA_WITHIN_SECONDS
    while waiting and asyncio.get_running_loop().time() < deadline:
        waiting = [query for query in waiting if not await _has_data(server, *query)]
        await asyncio.sleep(_SCRAPE_SECONDS if waiting else 0)
    return [f"{panel}: {expr}" for panel, expr in waiting]


async def _has_data(server: Prometheus, panel: str, expr: str) -> bool:
    values = await server.values(expr)
    return panel in _BLANK_IS_NORMAL or (bool(values) and (panel in _ZERO_IS_NORMAL or any(values)))


def _queries() -> Iterator[tuple[str, str]]:
    """(panel, PromQL) of every query, with Grafana's variables expanded."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield panel["title"], _expanded(target["expr"])


def _expanded(expr: str) -> str:
    expr = expr.replace("$__rate_interval", "1m")
    assert "$__" not in expr, f"a variable that this test does not know: {expr}"
    return expr


async def _promtool(*arguments: str, given: bytes = b"") -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        "promtool",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(given)
    return process.returncode, output.decode()
