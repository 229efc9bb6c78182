"""The inference worker as a process: its health port, its start and its stop."""

import asyncio
import socket
from pathlib import Path

import pytest

from shared.contract.errors import Transient
from shared.contract.requests import Models
from tests.contracts.inference.engines_worker import worker_process
from tests.servers.nats import bus_to
from tests.servers.ports import free_ports


async def test_it_gets_ready_answers_and_stops(nats_url: str) -> None:
    async with (
        worker_process(NATS_URL=nats_url, INFERENCE_ENGINE="extractive") as worker,
        bus_to(nats_url) as client,
    ):
        ready = await worker.wait_until("/readyz", 200, seconds=20)
        assert '"engine":"ok"' in ready
        assert '"nats":"ok"' in ready

        models = await client.ask(Models())
        assert (models.engine, models.models) == ("extractive", ["extractive"])
        _, metrics = await worker.get("/metrics")
        assert "pandora_engine_running_requests 0.0" in metrics

        assert await worker.stop(seconds=10) == 0


async def test_a_second_worker_with_a_name_is_asked_by_it(nats_url: str) -> None:
    settings = {"NATS_URL": nats_url, "INFERENCE_ENGINE": "scripted", "INFERENCE_NAME": "small"}
    async with worker_process(**settings) as worker, bus_to(nats_url) as client:
        await worker.wait_until("/readyz", 200, seconds=20)

        assert (await client.ask(Models(engine="small"))).engine == "scripted"
        with pytest.raises(Transient, match="no process answers"):
            await client.ask(Models())

        assert await worker.stop(seconds=10) == 0


async def test_a_script_with_a_fault_ends_the_start_with_one_line(nats_url: str, tmp_path: Path) -> None:
    script = tmp_path / "mine.toml"
    script.write_text("[[rule]]\nanswer = 'a'\n[[rule]]\nfail = 'badly'\n")
    (port,) = free_ports(1)  # With a port, its error output is kept.
    settings = {"NATS_URL": nats_url, "INFERENCE_ENGINE": "scripted", "SCRIPT": str(script)}
    async with worker_process(INFERENCE_PORT=str(port), **settings) as worker:
        _, said = await asyncio.wait_for(worker.process.communicate(), 20)

    assert worker.process.returncode == 2
    [line] = said.decode().splitlines()
    assert line.startswith(f"SCRIPT='{script}': rule 2: ")
    assert "`fail`" in line


async def test_the_health_port_answers_while_there_is_no_bus() -> None:
    (nobody,) = free_ports(1)
    async with worker_process(NATS_URL=f"nats://127.0.0.1:{nobody}", INFERENCE_ENGINE="extractive") as worker:
        await worker.wait_until("/healthz", 200, seconds=20)
        status, body = await worker.get("/readyz")
        assert status == 503
        assert "not finished" in body

        assert await worker.stop(seconds=10) == 0


async def test_a_taken_port_is_named_with_its_setting(nats_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with worker_process(NATS_URL=nats_url, INFERENCE_PORT=port) as worker:
            _, said = await asyncio.wait_for(worker.process.communicate(), 20)

    assert worker.process.returncode == 2
    assert said.decode().startswith(f"INFERENCE_PORT={port}: cannot listen on 127.0.0.1:{port}")
