"""Fields that no one knows: ignored as OpenAI does, or refused where a setting says so."""

from typing import Any

import pytest

from services.inference.scripted.engine import ScriptedEngine
from services.inference.scripted.script import parse_script
from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import gateway_over_http
from tests.servers.nats import bus_to
from tests.unit.inference.inference_room import serve

CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello"}],
    "store": False,
    "verbosity": "low",
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "scripted", "user": "u"} | CHAT,
    "/v1/completions": {"model": "scripted", "user": "u", "prompt": "Hello"},
}


@pytest.mark.parametrize("path", BODIES)
async def test_an_unknown_field_is_refused_only_where_a_setting_says_so(
    bus: Bus, url: str, path: str
) -> None:
    engine = ScriptedEngine(parse_script('[[rule]]\nanswer = "Hello."'))
    misspelled: dict[str, Any] = {**BODIES[path], "temprature": 0.5}
    async with bus_to(url, "inference") as worker:
        await serve(worker, engine)
        async with gateway_over_http(bus) as client:
            assert (await client.call("POST", path, misspelled))[0] == 200
        async with gateway_over_http(bus, openai_routes_strict=True) as client:
            assert (await client.call("POST", path, BODIES[path]))[0] == 200
            status, refused = await client.call("POST", path, misspelled)

    assert (status, refused["error"]["param"]) == (400, "temprature")
