"""Engines with names: whom a request reaches where several workers are on one bus."""

import asyncio

import pytest

from services.inference.scripted.engine import ScriptedEngine
from services.inference.scripted.script import parse_script
from shared.contract.errors import Transient
from shared.contract.requests import Abort, CountTokens, Models
from tests.servers.nats import bus_to
from tests.unit.inference.inference_room import answer_to, ask, serve


def scripted(answer: str) -> ScriptedEngine:
    return ScriptedEngine(parse_script(f"models = ['{answer}']\n[[rule]]\nanswer = '{answer} answers'"))


async def test_an_engine_with_a_name_answers_to_it_alone(nats_url: str) -> None:
    async with bus_to(nats_url) as client, bus_to(nats_url) as one, bus_to(nats_url) as two:
        await serve(one, scripted("plain"))
        await serve(two, scripted("small"), "small")

        for _ in range(5):
            assert (await answer_to(ask(), client)).text == "plain answers"
            assert (await answer_to(ask(engine="small"), client)).text == "small answers"
        assert (await client.ask(Models())).models == ["plain"]
        assert (await client.ask(Models(engine="small"))).models == ["small"]
        assert (await client.ask(CountTokens(texts=["four"], engine="small"))).counts == [1]
        with pytest.raises(Transient, match="no process answers"):
            await answer_to(ask(engine="large"), client)


async def test_the_workers_of_one_name_share_its_requests(nats_url: str) -> None:
    async with bus_to(nats_url) as client, bus_to(nats_url) as one, bus_to(nats_url) as two:
        await serve(one, scripted("first"), "small")
        await serve(two, scripted("second"), "small")

        answers = [(await answer_to(ask(engine="small"), client)).text for _ in range(40)]

    assert set(answers) == {"first answers", "second answers"}


async def test_an_abort_reaches_an_engine_with_a_name(nats_url: str) -> None:
    async with bus_to(nats_url) as client, bus_to(nats_url) as bus:
        await serve(bus, ScriptedEngine(parse_script("[[rule]]\nfail = 'silence'")), "small")
        request = ask(engine="small")
        asked = asyncio.create_task(answer_to(request, client))
        await asyncio.sleep(0.1)

        await client.broadcast(Abort.subject, Abort(request_id=request.request_id))

        assert (await asked).finish_reason == "abort"
