"""Tools of a real MCP server, over stdio and by HTTP: found, called, away, back, and ended."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.orchestrator.tools.mcp import McpTools, Pace
from services.orchestrator.tools.mcp_servers import McpServer
from services.orchestrator.tools.tool import Caller, ToolResult
from services.orchestrator.tools.toolbox import Toolbox
from tests.servers.ports import free_ports

CALLER = Caller(user="mira", session_id="s1", turn_id="t1", turn_number=1)
SCRIPT = str(Path(__file__).with_name("mcp_server.py"))
PACE = Pace(connect_seconds=15.0, check_seconds=0.3, first_wait_seconds=0.1, longest_wait_seconds=0.4)
ALL = ["add", "fail", "wait", "die", "flood", "picture", "environment", "process"]


@asynccontextmanager
async def http_server(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def toolbox(*servers: McpServer) -> AsyncIterator[Toolbox]:
    async with McpTools(servers, PACE) as tools:
        yield Toolbox([], [tools])


def over_stdio(**fields: Any) -> McpServer:
    return McpServer(name="bees", command=sys.executable, args=[SCRIPT], **fields)


@pytest.fixture(scope="module")
async def address() -> AsyncIterator[str]:
    """Of a server over HTTP that no test ends."""
    (port,) = free_ports(1)
    async with http_server(port):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest, address: str) -> McpServer:
    return over_stdio() if request.param == "stdio" else McpServer(name="bees", url=address)


async def until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 -- a server sends no event when it is ready
            await asyncio.sleep(0.02)


async def until_there(box: Toolbox) -> None:
    await until(lambda: bool(box.names))


async def until_it_answers(box: Toolbox, tool: str = "add", **arguments: Any) -> ToolResult:
    for _ in range(400):
        result = await call(box, tool, **arguments)
        if not result.is_error:
            return result
        await asyncio.sleep(0.05)
    raise TimeoutError("it did not come back")


async def call(box: Toolbox, tool: str, **arguments: Any) -> ToolResult:
    return await box.run(f"bees.{tool}", arguments, CALLER)


async def test_its_tools_are_found_and_called(server: McpServer) -> None:
    async with toolbox(server) as box:
        await until_there(box)

        assert box.names == [f"bees.{name}" for name in ALL]
        assert (await call(box, "add", a=2, b=3)).text == "5"
        described = box.described(["bees.add"])
        assert "bees.add: Adds two whole numbers." in described
        assert "- a (integer)" in described


async def test_what_it_says_of_itself_gives_it_no_rights(server: McpServer) -> None:
    async with toolbox(server) as box:
        await until_there(box)
        tool = box.get("bees.add")

        assert tool is not None
        assert tool.permission == "write"
        assert tool.approval


async def test_errors_of_all_kinds_are_results(server: McpServer) -> None:
    async with toolbox(server) as box:
        await until_there(box)

        failed = await call(box, "fail")
        unfit = await call(box, "add", a="two", b=3)
        unknown = await call(box, "sting")

        assert failed.is_error
        assert "fail" in failed.text
        assert unfit.is_error
        assert "a: 'two' is not of type 'integer'" in unfit.text
        assert unknown.is_error
        assert not (await call(box, "add", a=1, b=1)).is_error


async def test_a_call_that_takes_too_long_ends_and_the_next_one_works(server: McpServer) -> None:
    server = McpServer(name="bees", command=server.command, args=server.args, url=server.url, seconds=1.0)
    async with toolbox(server) as box:
        await until_there(box)
        began = time.monotonic()

        late = await call(box, "wait", seconds=30)

        assert late.is_error
        assert time.monotonic() - began < 20  # It would wait 30.
        assert (await until_it_answers(box, a=1, b=2)).text == "3"


async def test_calls_go_on_side_by_side(server: McpServer) -> None:
    async with toolbox(server) as box:
        await until_there(box)
        began = time.monotonic()

        results = await asyncio.gather(*(call(box, "wait", seconds=1.0) for _ in range(10)))

        assert [result.text for result in results] == ["at last"] * 10
        assert time.monotonic() - began < 8  # One after the other they take 10.


async def test_a_long_result_is_cut_and_a_picture_is_only_named(server: McpServer) -> None:
    async with toolbox(server) as box:
        await until_there(box)

        long = await call(box, "flood", characters=1_000_000)
        mixed = await call(box, "picture")

        assert long.is_cut
        assert len(long.text) < 8_200
        assert mixed.text == "a bee\n[image: not shown]"


async def test_only_the_tools_that_may_be_used_are_there() -> None:
    async with toolbox(over_stdio(tools=["add", "w*"], approval=False, permission="read")) as box:
        await until_there(box)

        assert box.names == ["bees.add", "bees.wait"]
        tool = box.get("bees.add")
        assert tool is not None
        assert (tool.approval, tool.permission) == (False, "read")


async def test_of_the_environment_a_command_gets_only_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    async with toolbox(over_stdio(env={"HIVE": "oak"})) as box:
        await until_there(box)

        assert (await call(box, "environment", name="HIVE")).text == "oak"
        assert (await call(box, "environment", name="OPENAI_API_KEY")).text == "not set"


async def test_a_command_that_dies_is_started_again() -> None:
    async with toolbox(over_stdio()) as box:
        await until_there(box)
        first = (await call(box, "process")).text

        died = await call(box, "die")
        meanwhile = await call(box, "add", a=1, b=2)

        assert died.is_error
        assert meanwhile.is_error, "a call does not wait for the server"
        assert box.names, "its tools stay listed"
        assert (await until_it_answers(box, a=1, b=2)).text == "3"
        assert (await call(box, "process")).text != first


async def test_a_command_that_dies_between_calls_is_noticed() -> None:
    async with toolbox(over_stdio()) as box:
        await until_there(box)
        first = int((await call(box, "process")).text)

        os.kill(first, 9)
        await until(lambda: not is_alive(first))

        assert int((await until_it_answers(box, "process")).text) != first


async def test_a_server_that_is_away_and_comes_back_is_connected_to_again() -> None:
    (port,) = free_ports(1)
    async with toolbox(McpServer(name="bees", url=f"http://127.0.0.1:{port}/mcp")) as box:
        assert box.names == []
        async with http_server(port):
            await until_there(box)
            assert (await call(box, "add", a=1, b=2)).text == "3"

        began = time.monotonic()
        away = await call(box, "add", a=1, b=2)
        assert away.is_error
        assert time.monotonic() - began < 5

        async with http_server(port):
            assert (await until_it_answers(box, a=1, b=2)).text == "3"


@pytest.mark.parametrize(
    "server",
    [
        McpServer(name="bees", command="/no/such/command"),
        McpServer(name="bees", command=sys.executable, args=["-c", "print('no protocol')"]),
        McpServer(name="bees", command=sys.executable, args=["-c", "import time; time.sleep(60)"]),
        McpServer(name="bees", url="http://127.0.0.1:9/mcp"),
    ],
    ids=["no command", "no protocol", "silent", "nobody listens"],
)
async def test_a_server_that_never_comes_holds_neither_the_start_nor_the_end(server: McpServer) -> None:
    began = time.monotonic()
    async with McpTools([server], PACE) as tools:
        assert time.monotonic() - began < 5  # One of them is silent for a minute.
        box = Toolbox([], [tools])
        await asyncio.sleep(0.5)

        result = await call(box, "add", a=1, b=2)

        assert result.is_error
        assert "There is no tool 'bees.add'" in result.text
        ending = time.monotonic()
    assert time.monotonic() - ending < 8


async def test_at_the_end_nothing_of_it_runs_any_more() -> None:
    async with toolbox(over_stdio()) as box:
        await until_there(box)
        process = int((await call(box, "process")).text)
        late = asyncio.create_task(call(box, "wait", seconds=30))
        await asyncio.sleep(0.1)

    assert not is_alive(process)
    assert (await late).is_error


def is_alive(process: int) -> bool:
    """A zombie is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
