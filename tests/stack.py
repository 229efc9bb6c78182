"""The real stack, as a user starts it: `pandora up` with a data folder and ports of its own."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import aiohttp
import asyncpg
import nats
import psutil
from nats.aio.client import Client

from cli.config.settings import SETTINGS
from shared.bus.identity import seed_file
from shared.bus.rights import OPERATOR, inbox_of
from tests.servers.ports import free_ports

KEYS = {user: f"{user}-secret-key" for user in ("alice", "bob", "carol")}
_PORTS = {
    "gateway": "GATEWAY_PORT",
    "orchestrator": "ORCHESTRATOR_PORT",
    "indexer": "INDEXER_PORT",
    "inference": "INFERENCE_PORT",
    "nats": "NATS_PORT",
    "nats_monitor": "NATS_MONITOR_PORT",
    "postgres": "POSTGRES_PORT",
    "redis": "REDIS_PORT",
    "redis_cache": "REDIS_CACHE_PORT",
}
ROOT = Path(__file__).parent.parent
_SETTINGS = {field.upper() for kind in SETTINGS.values() for field in kind.model_fields}
"""A developer's own settings are not the tests'."""
_START_SECONDS = 120.0
_TURN_SECONDS = 60.0


class Stack:
    """Starts, stops and talks to one installation."""

    def __init__(self, settings: Mapping[str, str], *options: str) -> None:
        """`options` are those of `pandora up`."""
        self._options = options
        self.python = Path(sys.executable)
        # Not below pytest's folder: it closes that for others, and PostgreSQL runs as another user.
        self.data_dir = Path(mkdtemp(prefix="pandora-test-"))
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in _SETTINGS},
            **{setting: str(self.ports[part]) for part, setting in _PORTS.items()},
            "PANDORA_DATA_DIR": str(self.data_dir),
            "API_KEYS": ",".join(f"{user}:{key}" for user, key in KEYS.items()),
            "ADMIN_USERS": "alice",
            "RESTART_LIMIT": "1000",  # Parts are killed on purpose, the faster the machine the more a minute.
            **settings,
        }
        self._launcher: subprocess.Popen[bytes] | None = None

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self.environment['NATS_PORT']}"

    @property
    def postgres_dsn(self) -> str:
        return f"postgresql://pandora:pandora@127.0.0.1:{self.ports['postgres']}/pandora"

    def start(self, until: str = "Pandora is ready") -> None:
        """`until`: what the terminal shows when it has started."""
        with (self.data_dir / "terminal.log").open("wb") as terminal:
            self._launcher = subprocess.Popen(
                [self.python, "-m", "cli.main", "up", *self._options],
                cwd=self.data_dir,  # Not here: a developer's .env is not the tests'.
                env=self.environment,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self._wait_until_ready(self._launcher, until)

    def _wait_until_ready(self, launcher: subprocess.Popen[bytes], shown: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if launcher.poll() is not None:
                raise RuntimeError(f"pandora up ended with {launcher.returncode}:\n{self.terminal()}")
            if shown in self.terminal():
                return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"pandora up was not ready within {_START_SECONDS:g} s:\n{self.terminal()}")

    def stop(self) -> int:
        """Ends it as Ctrl-C does; the launcher's exit status."""
        if self._launcher is None:
            return 0
        if self._launcher.poll() is None:
            self._launcher.send_signal(signal.SIGINT)
        return self._launcher.wait(30)

    def remove(self) -> None:
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def terminal(self) -> str:
        return (self.data_dir / "terminal.log").read_text(errors="replace")

    # --- talking to it ---

    def headers(self, user: str = "alice") -> dict[str, str]:
        return {"authorization": f"Bearer {KEYS[user]}"}

    async def call(
        self, method: str, path: str, body: object = None, *, user: str = "alice"
    ) -> tuple[int, Any]:
        """(status, decoded body)."""
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                method,
                self.gateway_url + path,
                data=None
                if body is None
                else BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode()),
                headers={**self.headers(user), "content-type": "application/json"},
            ) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text) if response.content_type.endswith("json") else text

    async def upload(self, name: str, data: bytes, *, user: str = "alice") -> str:
        """The id of the file."""
        form = aiohttp.FormData()
        form.add_field("file", data, filename=name)
        async with (
            aiohttp.ClientSession(headers=self.headers(user)) as http,
            http.post(f"{self.gateway_url}/v1/files", data=form) as response,
        ):
            assert response.status == 200, await response.text()
            return str((await response.json())["id"])

    async def events(self, response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
        """The decoded `data` of each server-sent event, with its `id` and `event` checked against it."""
        fields: dict[str, str] = {}
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                event = json.loads(fields["data"])
                assert (int(fields["id"]), fields["event"]) == (event["index"], event["type"])
                yield event
                fields = {}
            else:
                fields = {}

    async def stream(
        self, text: str, *, session_id: str | None = None, user: str = "alice"
    ) -> list[dict[str, Any]]:
        """All events of one turn, asked with `Accept: text/event-stream`."""
        body = {"input": text} | ({"session_id": session_id} if session_id else {})
        async with asyncio.timeout(_TURN_SECONDS), aiohttp.ClientSession() as http:
            headers = {**self.headers(user), "accept": "text/event-stream"}
            async with http.post(f"{self.gateway_url}/v1/turns", json=body, headers=headers) as response:
                assert response.status == 200, await response.text()
                return [event async for event in self.events(response)]

    async def ask(self, text: str, *, session_id: str | None = None, user: str = "alice") -> dict[str, Any]:
        """The last event of a turn, which must be turn.saved."""
        last = (await self.stream(text, session_id=session_id, user=user))[-1]
        assert last["type"] == "turn.saved", last
        return last

    async def tell(self, text: str, *, session_id: str | None = None, user: str = "alice") -> dict[str, Any]:
        """Like `ask`, and waits until search finds the turn."""
        saved = await self.ask(text, session_id=session_id, user=user)
        await self.until_indexed(saved["turn_id"])
        return saved

    async def until_indexed(self, turn_id: str) -> None:
        async with asyncio.timeout(_TURN_SECONDS):
            while True:
                if await self.rows("SELECT 1 FROM pandora.turns WHERE turn_id = $1", turn_id):
                    return
                await asyncio.sleep(0.05)

    async def until_ready(self) -> None:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                if (await self.call("GET", "/readyz"))[0] == 200:
                    return
                await asyncio.sleep(0.1)

    async def until_shown(self, text: str) -> None:
        """Waits until the launcher's terminal shows this: it may see later than a test what it tells of."""
        async with asyncio.timeout(_START_SECONDS):
            while text not in self.terminal():  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.05)

    async def bus(self, identity: str = OPERATOR) -> Client:
        """A client over bare NATS, with the rights of the operator or of a service."""
        return await nats.connect(self.nats_url, **self.login(identity))

    def login(self, identity: str = OPERATOR) -> dict[str, str]:
        """The options of a connection as this identity."""
        seed = seed_file(self.data_dir / "nats-users", identity)
        return {"nkeys_seed": str(seed), "inbox_prefix": inbox_of(identity)}

    def refused(self) -> list[str]:
        """What the NATS servers logged of messages and subscriptions that no right allows."""
        logs = (file.read_text(errors="replace") for file in (self.data_dir / "logs").glob("nats*.log"))
        return [line for log in logs for line in log.splitlines() if "Violation" in line]

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.postgres_dsn)
        try:
            found: list[Any] = await connection.fetch(query, *arguments)
            return found
        finally:
            await connection.close()

    async def counts(self) -> dict[str, int]:
        """Turns, messages and points of all users, as the indexer counts them."""
        client = await self.bus()
        try:
            counted: dict[str, int] = json.loads((await client.request("index.count", b"{}", 5)).data)
            return counted
        finally:
            await client.close()

    def pid_of(self, part: str) -> int:
        state = json.loads((self.data_dir / "run" / "stack.json").read_text())
        return int(state["parts"][part]["process"]["pid"])

    def leftovers(self) -> list[str]:
        """Command lines of processes that still speak of this installation's data folder."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if str(self.data_dir) in line:
                found.append(line)
        return found
