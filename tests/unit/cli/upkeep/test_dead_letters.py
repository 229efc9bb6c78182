"""`pandora dead` against a small real server."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from cli.client.gateway import GatewayError, gateway_at
from cli.terminal.output import harmless
from cli.upkeep.dead_letters import DeadLetters
from shared.contract.requests.dead_letters import DeadLetterRow
from tests.unit.cli.gateway_room import served
from tests.unit.samples import AT

COUNT = 250


async def get_page(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") != "Bearer secret":
        return web.json_response({"title": "x", "detail": "alice is no admin."}, status=403)
    first = int(request.query.get("cursor", "0")) + 1
    numbers = range(first, min(first + int(request.query["limit"]), COUNT + 1))
    more = numbers.stop <= COUNT
    letters = [{"sequence": number, "at": AT.isoformat()} for number in numbers]
    return web.json_response({"letters": letters, "next_cursor": str(numbers[-1]) if more else None})


async def get_letter(request: web.Request) -> web.Response:
    match request.match_info["number"]:
        case "1":
            return web.json_response({"sequence": 1, "body": "{}"})
        case "2":
            return web.Response(text="<html>a proxy</html>")
        case "3":
            raise web.HTTPServiceUnavailable(text='{"detail": "nobody answers"}')
    return web.json_response({"detail": "there is no dead letter 4"}, status=404)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/v1/admin/dead", get_page)
    app.router.add_get("/v1/admin/dead/{number}", get_letter)
    async with served(app) as address:
        yield address


@pytest.fixture
async def letters(url: str) -> AsyncIterator[DeadLetters]:
    async with gateway_at(url, "secret") as gateway:
        yield DeadLetters(gateway)


async def test_all_letters_are_found_page_by_page(letters: DeadLetters) -> None:
    assert await letters.numbers() == list(range(1, COUNT + 1))


async def test_a_letter_is_shown(letters: DeadLetters) -> None:
    assert await letters.show(1) == {"sequence": 1, "body": "{}"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (2, r"is not a gateway\. Check PANDORA_URL"),
        (3, r"status 503: nobody answers\. See `pandora status`"),
        (4, r"status 404: there is no dead letter 4\.$"),
    ],
)
async def test_a_refusal_says_what_to_do(letters: DeadLetters, number: int, words: str) -> None:
    with pytest.raises(GatewayError, match=words) as error:
        await letters.show(number)

    assert "\n" not in str(error.value)


async def test_who_is_no_admin_is_told(url: str) -> None:
    async with gateway_at(url, None) as gateway:
        with pytest.raises(
            GatewayError, match=r"status 403: alice is no admin\. Set .* to an admin's key\.$"
        ):
            await DeadLetters(gateway).page(after=0, limit=20)


async def test_without_a_gateway_the_next_step_is_named() -> None:
    async with gateway_at("http://127.0.0.1:1", None) as gateway:
        with pytest.raises(GatewayError, match=r"No gateway answers at .*Start Pandora with `pandora up`"):
            await DeadLetters(gateway).show(1)


def test_what_another_user_wrote_does_not_control_the_terminal() -> None:
    assert harmless("a\x1b[2Jb\r\nc\td\x07 é") == "a\ufffd[2Jb\ufffd\nc\td\ufffd é"


def test_the_columns_of_the_list_are_fields_of_a_letter() -> None:
    assert {"sequence", "at", "durable", "attempts", "reason"} <= set(DeadLetterRow.__struct_fields__)
