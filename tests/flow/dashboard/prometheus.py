"""A real Prometheus (Debian's package) for a test, with the project's own scrape configuration."""

import asyncio
import contextlib
import math
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml

from tests.missing import skip_unless_ci
from tests.servers.ports import free_ports

CONFIG = Path(__file__).parents[3] / "deploy/prometheus/prometheus.yml"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


def need(program: str) -> None:
    """Skips the test where `program` is missing."""
    if shutil.which(program) is None:
        skip_unless_ci(f"{program} is not installed (Debian: apt-get install prometheus)")


class Prometheus:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def values(self, expr: str) -> list[float]:
        """The numbers that a panel with this query would show now; NaN is what Grafana leaves blank."""
        async with self._http.get(f"{self._url}/api/v1/query", params={"query": expr}) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        numbers = [float(series["value"][1]) for series in answer["data"]["result"]]
        return [number for number in numbers if math.isfinite(number)]

    async def has_scraped(self, targets: int) -> bool:
        """Whether every target was reached. A ready Prometheus takes up to 5 s more to begin."""
        with contextlib.suppress(aiohttp.ClientError):
            return await self.values("up") == [1.0] * targets
        return False


@asynccontextmanager
async def prometheus(
    folder: Path, ports: Mapping[str, int], *, scrape: str = "1s"
) -> AsyncIterator[Prometheus]:
    """Scrapes the jobs of deploy/prometheus/prometheus.yml at `ports` (by job name) while the block runs.

    Raises TimeoutError where one of them is not reached.
    """
    (port,) = free_ports(1)
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] |= {"scrape_interval": scrape, "scrape_timeout": scrape}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )
    try:
        async with aiohttp.ClientSession() as http:
            server = Prometheus(f"http://127.0.0.1:{port}", http)
            async with asyncio.timeout(_START_SECONDS):
                while not await server.has_scraped(len(config["scrape_configs"])):
                    assert process.returncode is None, "Prometheus ended at its start; its reason is above"
                    await asyncio.sleep(0.1)
            yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
