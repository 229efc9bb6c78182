"""`/models` of a server: read where it is there, and never what decides whether anything starts."""

import pytest

from services.inference.openai.engine import OpenAiEngine
from shared.contract.errors import Transient
from tests.contracts.inference.engines_room import TEXT, ask, parts_of, settings_for
from tests.contracts.inference.engines_server import MODEL, ChatServer
from tests.contracts.inference.raw_answers import PAGE, RawAnswer, document

NO_LIST = {
    "404": document({"detail": "Not Found"}, 404),
    "405": document(b"", 405),
    "403": document({"error": {"message": "missing scope api.model.read"}}, 403),
    "data: null": document({"object": "list", "data": None}),
    "null": document(None),
    "an empty list": document({"data": []}),
    "an empty array": document([]),
    "another form": document({"models": [{"name": "parrot"}]}),
}


@pytest.mark.parametrize("form", NO_LIST)
async def test_with_model_set_no_list_is_needed(server: ChatServer, form: str) -> None:
    server.listing = NO_LIST[form]
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        await engine.check()
        assert await engine.models() == [MODEL]
        deltas, finished = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == TEXT
    assert finished.model == MODEL


@pytest.mark.parametrize("form", NO_LIST)
async def test_without_model_it_says_that_model_is_missing(server: ChatServer, form: str) -> None:
    server.listing = NO_LIST[form]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        with pytest.raises(Transient, match="Set MODEL"):
            await engine.check()
        with pytest.raises(Transient, match="Set MODEL"):
            await engine.models()


async def test_a_bare_array_is_read(server: ChatServer) -> None:
    server.listing = document([{"id": "parrot-2", "max_model_len": 2048}, {"id": MODEL}])
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        await engine.check()
        assert await engine.models() == ["parrot-2", MODEL]
        assert engine.context_tokens == 2048


@pytest.mark.parametrize("model", [None, MODEL])
@pytest.mark.parametrize("page", [document(PAGE), RawAnswer([b"\n", PAGE], headers={})])
async def test_a_page_names_the_url_and_what_came_back(
    server: ChatServer, page: RawAnswer, model: str | None
) -> None:
    server.listing = page
    async with OpenAiEngine.connected(settings_for(server, model=model)) as engine:
        with pytest.raises(Transient, match=r"OPENAI_BASE_URL=http://.*answers <!doctype html>"):
            await engine.check()


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_server_that_takes_no_requests_is_not_ready(server: ChatServer, status: int) -> None:
    server.listing = document({"error": {"message": "not now"}}, status)
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Transient, match=f"answers {status}: not now"):
            await engine.check()
        assert await engine.models() == [MODEL]


async def test_a_server_that_is_away_does_not_hide_the_model(server: ChatServer) -> None:
    server.url = "http://127.0.0.1:9/v1"
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        with pytest.raises(Transient, match="Start the model server, or correct OPENAI_BASE_URL"):
            await engine.check()
        assert await engine.models() == [MODEL]
