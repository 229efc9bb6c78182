"""The eight phases over the whole stack, with the scripted engine."""

import aiohttp

from tests.flow.pipeline.asking import start, until
from tests.stack import Stack


async def test_a_turn_goes_through_all_phases_and_tells_of_each(scripted: Stack) -> None:
    turn = await until(scripted, await start(scripted, "What is 12 * 7?", recipe="standard"), "saved")

    assert turn["output"] == "12 * 7 = 84."
    assert turn["recipe"] == "standard"
    assert turn["recipe_version"]
    assert [phase["phase"] for phase in turn["phases"]] == [
        *("analysis", "gate", "gather", "plan", "coordinate", "plan", "synthesis", "validation"),
    ]
    assert {phase["role"] for phase in turn["phases"]} == {"REFLEX", "MIND", "VOICE", None}
    _, document = await scripted.call("GET", f"/v1/turns/{turn['id']}/documents/metrics.json")
    calls = [call for phase in document["phases"] for call in phase["calls"]]
    assert len(calls) == 6


async def test_what_phases_took_is_in_the_header_of_the_turn(scripted: Stack) -> None:
    turn = await until(scripted, await start(scripted, "hello", recipe="standard"), "saved")

    async with (
        aiohttp.ClientSession(headers=scripted.headers("alice")) as http,
        http.get(f"{scripted.gateway_url}/v1/turns/{turn['id']}") as response,
    ):
        timing = response.headers["server-timing"]

    assert [part.partition(";dur=")[0] for part in timing.split(", ")] == [
        *(phase["phase"] for phase in turn["phases"]),
        "total",
    ]


async def test_later_turns_find_what_was_said_and_name_it(scripted: Stack) -> None:
    told = await scripted.tell("My cousin Ilse lives in Ghent.")

    turn = await until(scripted, await start(scripted, "Where does Ilse live?", recipe="standard"), "saved")

    assert f"[turn {told['turn_number']}]" in turn["output"]
    assert [source["turn_id"] for source in turn["sources"]] == [told["turn_id"]]


async def test_a_session_has_a_recipe_of_its_own(scripted: Stack) -> None:
    path = "/v1/sessions/thoughtful"
    assert (await scripted.call("PATCH", path, {"recipe": "standard"}))[0] == 200

    own = await until(scripted, await start(scripted, "hello", session_id="thoughtful"), "saved")
    named = await start(scripted, "hello", session_id="thoughtful", recipe="direct")
    other = await until(scripted, await start(scripted, "hello"), "saved")

    assert (own["recipe"], other["recipe"]) == ("standard", "direct")
    assert (await until(scripted, named, "saved"))["recipe"] == "direct"
    assert (await scripted.call("DELETE", path))[0] == 200
    assert await scripted.call("GET", path) == (200, {"session_id": "thoughtful", "recipe": ""})
