"""Streams on a server that has little room."""

import asyncio
from pathlib import Path

import pytest

from deploy.local.nats import USERS_CONF, find_server, render_configuration
from deploy.local.nats_users import write_users
from deploy.local.settings import LocalSettings
from shared.bus.declaration import declare_streams
from shared.contract.errors import Transient
from tests.servers.nats import bus_to, nats_in_hand
from tests.servers.ports import free_ports
from tests.servers.small_disk import small_disk


async def test_the_embedded_server_takes_its_streams_on_a_disk_with_little_room() -> None:
    with small_disk(100) as disk:
        port, monitor = free_ports(2)
        users = disk.folder / "nats-users"
        settings = LocalSettings.model_construct(
            nats_port=port, nats_monitor_port=monitor, nats_users_dir=users
        )
        write_users(users, disk.folder / USERS_CONF)
        file = disk.folder / "nats.conf"
        file.write_text(render_configuration(settings, disk.folder / "nats"))
        server = await asyncio.create_subprocess_exec(
            find_server(), "-c", file, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with bus_to(f"nats://127.0.0.1:{port}", "orchestrator", users=users) as bus:
                await declare_streams(bus.jetstream, first_turn_number=1)

                assert (await bus.jetstream.stream_info("TURNS")).config.max_bytes == 256 * 1024 * 1024
        finally:
            server.terminate()
            await server.wait()


async def test_a_server_without_room_for_a_stream_is_named_and_nothing_has_to_go(tmp_path: Path) -> None:
    configuration = tmp_path / "nats.conf"
    configuration.write_text("jetstream { max_file_store: 100MB }")
    async with nats_in_hand("-c", str(configuration)) as server, bus_to(server.url) as bus:
        with pytest.raises(Transient, match="no room for stream TURNS") as failed:
            await declare_streams(bus.jetstream, first_turn_number=1)

    assert "what it has stored stays" in str(failed.value)
    assert "remove" not in str(failed.value)
