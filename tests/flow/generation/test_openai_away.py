"""A model server that starts after Pandora, as one does that a person forgot."""

import asyncio

from tests.contracts.inference.engines_server import MODEL, chat_server
from tests.contracts.inference.raw_answers import document
from tests.servers.ports import free_ports
from tests.stack import Stack


async def test_a_model_server_may_start_after_pandora() -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}/v1"
    stack = Stack({"INFERENCE_ENGINE": "openai", "OPENAI_BASE_URL": url, "REFLECTOR": "off"})
    try:
        await asyncio.to_thread(stack.start, "Pandora runs, and is not ready")
        async with chat_server(port) as server:
            server.listing = document([{"id": MODEL}])
            await stack.until_ready()
            answered = await stack.ask("Hello there, parrot.")
            await stack.until_shown("inference is ready")
    finally:
        status = await asyncio.to_thread(stack.stop)
        said = stack.terminal()
        stack.remove()

    assert answered["model"] == MODEL
    assert "is not reachable" in said
    assert "Pandora goes on trying" in said
    assert status == 0
