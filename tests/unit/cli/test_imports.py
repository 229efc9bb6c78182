"""A command imports what it needs: each person who runs one pays for every import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import json, sys
from cli.main import main
sys.argv = ["pandora", *sys.argv[1:]]
try:
    main()
finally:
    print("MODULES", json.dumps(sorted(sys.modules)))
"""
OF_SERVICES = {
    *("numpy", "torch", "sentence_transformers", "onnxruntime", "qdrant_client", "qdrant_edge", "litestar"),
    *("trafilatura", "pypdf", "PIL", "mcp", "sentencex", "dateparser"),
}
OF_THE_BUS = {"nats", "faststream", "opentelemetry", "prometheus_client", "uvicorn"}


def imported(folder: Path, *arguments: str) -> set[str]:
    """The modules that a command has imported, and the packages that they belong to."""
    environment = os.environ | {
        "PYTHONPATH": str(Path.cwd()),
        "PANDORA_URL": "http://127.0.0.1:9",
        "PANDORA_DATA_DIR": str(folder),
    }
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, cwd=folder, env=environment, text=True, check=False)
    modules: list[str] = json.loads(done.stdout.rpartition("MODULES ")[2])
    return {*modules, *(module.partition(".")[0] for module in modules)}


def test_help_imports_no_service_no_settings_and_no_client(tmp_path: Path) -> None:
    modules = imported(tmp_path, "--help")

    assert "cli.main" in modules
    assert not modules & (OF_SERVICES | OF_THE_BUS | {"services", "shared", "pydantic", "aiohttp", "msgspec"})


def test_ask_imports_the_gateways_client_and_no_service_no_settings_and_nothing_of_the_bus(
    tmp_path: Path,
) -> None:
    modules = imported(tmp_path, "ask", "Is anybody there?")

    assert "cli.client.gateway" in modules
    assert not modules & (OF_SERVICES | OF_THE_BUS | {"aiohttp", "asyncpg", "psutil"})
    assert not modules & {"services", "pydantic_settings", "shared.contract"}


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_status_of_what_does_not_run_imports_nothing_of_the_bus(tmp_path: Path, options: tuple[str]) -> None:
    modules = imported(tmp_path, "status", *options)

    assert "cli.upkeep.status" in modules
    assert not modules & (OF_SERVICES | OF_THE_BUS)
