"""From a user's words to a remembered answer, over HTTP, through every real part."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.flow.turns.http_turns import unique
from tests.stack import Stack


async def test_a_later_turn_in_another_session_finds_what_the_first_one_said(stack: Stack) -> None:
    name = unique("Mira")
    told = await stack.tell(f"My sister {name} lives in Lisbon and keeps bees.", session_id=f"a-{name}")

    answered = await stack.ask(f"Where does my sister {name} live?", session_id=f"b-{name}")

    assert "Lisbon" in answered["output"]
    assert answered["sources"][0]["turn_id"] == told["turn_id"]
    assert answered["sources"][0]["turn_number"] == told["turn_number"]


async def test_a_turn_sees_the_one_before_it_in_its_session_at_once(stack: Stack) -> None:
    name = unique("Tobias")
    await stack.ask(f"My neighbour {name} plays the cello.", session_id=f"s-{name}")

    answered = await stack.ask(f"What does {name} play?", session_id=f"s-{name}")

    assert "cello" in answered["output"]


async def test_nothing_is_made_up(stack: Stack) -> None:
    answered = await stack.ask(f"What is the boiling point of {unique('unobtainium')}?")

    assert answered["output"] == "Nothing is known about that."
    assert answered["sources"] == []


async def test_the_events_of_a_turn_come_in_order_and_end_with_the_last(stack: Stack) -> None:
    events = await stack.stream(f"Please remember that {unique('Ada')} likes tea.")

    assert [event["index"] for event in events] == list(range(len(events)))
    types = [event["type"] for event in events]
    assert types[0] == "turn.queued"
    assert types[-1] == "turn.saved"
    assert types.count("phase.started") == types.count("phase.ended") == 2
    assert types.index("turn.sources") < types.index("output.delta")
    joined = "".join(event["text"] for event in events if event["type"] == "output.delta")
    assert joined == events[-1]["output"]


async def test_an_accepted_turn_can_be_looked_at_from_the_first_moment_to_the_last(stack: Stack) -> None:
    status, accepted = await stack.call("POST", "/v1/turns", {"input": "The kettle is blue."})
    assert status == 202
    assert accepted["status"] == "queued"

    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not seen or seen[-1]["status"] not in ("saved", "failed"):
            status, view = await stack.call("GET", accepted["links"]["self"])
            assert status == 200
            seen.append(view)

    ended = seen[-1]
    assert ended["status"] == "saved"
    assert ended["turn_number"] == accepted["turn_number"]
    assert ended["input"] == "The kettle is blue."
    assert ended["usage"]["output_tokens"] > 0
    assert ended["timings"]["total_seconds"] > 0
    assert ended["error"] is None


async def test_a_turn_is_there_right_after_its_202(stack: Stack) -> None:
    async with aiohttp.ClientSession(headers=stack.headers()) as http:
        for number in range(40):
            async with http.post(
                f"{stack.gateway_url}/v1/turns", json={"input": f"Hello {number}."}
            ) as answer:
                links = (await answer.json())["links"]
            async with http.get(stack.gateway_url + links["events"]) as stream:
                assert stream.status == 200, await stream.text()
            async with http.get(stack.gateway_url + links["self"]) as view:
                assert view.status == 200, await view.text()


async def test_a_reader_who_joins_late_gets_every_event_after_the_one_it_names(stack: Stack) -> None:
    events = await stack.stream("The harbour opens at six.")
    turn_id = events[-1]["turn_id"]

    async with aiohttp.ClientSession(headers=stack.headers()) as http:
        url = f"{stack.gateway_url}/v1/turns/{turn_id}/events"
        async with http.get(url) as response:
            assert response.content_type == "text/event-stream"
            assert [event async for event in stack.events(response)] == events
        async with http.get(url, headers={"last-event-id": "4"}) as response:
            assert [event async for event in stack.events(response)] == events[5:]
        async with http.get(f"{url}?starting_after=2") as response:
            assert [event async for event in stack.events(response)] == events[3:]


async def test_two_readers_of_a_running_turn_get_the_same_events(stack: Stack) -> None:
    _, accepted = await stack.call("POST", "/v1/turns", {"input": "The lighthouse has 199 steps."})

    async def read() -> list[dict[str, object]]:
        url = stack.gateway_url + accepted["links"]["events"]
        async with aiohttp.ClientSession(headers=stack.headers()) as http, http.get(url) as response:
            return [event async for event in stack.events(response)]

    async with asyncio.timeout(30):
        first, second = await asyncio.gather(read(), read())

    assert first == second
    assert [event["index"] for event in first] == list(range(len(first)))


async def test_the_documents_of_a_turn_are_readable(stack: Stack) -> None:
    saved = await stack.ask("The bakery on Rua Nova opens at seven.")

    _, listing = await stack.call("GET", f"/v1/turns/{saved['turn_id']}/documents")
    documents = {one["name"]: (await stack.call("GET", one["href"]))[1] for one in listing["documents"]}

    assert set(documents) == {"context.md", "response.md", "metadata.json", "metrics.json", "events.jsonl"}
    for section in ("## §0 Query", "## §2 Gathered context", "## §5 Answer"):
        assert section in documents["context.md"]
    assert documents["response.md"].strip() == saved["output"]
    assert documents["metadata.json"]["turn_number"] == saved["turn_number"]
    assert [run["phase"] for run in documents["metrics.json"]["phases"]] == ["gather", "synthesis"]
    assert json.loads(documents["events.jsonl"].splitlines()[-1]) == saved
    status, missing = await stack.call("GET", f"/v1/turns/{saved['turn_id']}/documents/..%2fmetadata.json")
    assert status == 404, missing


async def test_turns_and_sessions_are_listed_newest_first_and_paged(stack: Stack) -> None:
    session = unique("pages-")
    for number in range(5):
        last = await stack.ask(f"Note number {number}.", session_id=session)
    await stack.until_indexed(last["turn_id"])

    pages, cursor = [], ""
    while True:
        _, page = await stack.call("GET", f"/v1/turns?session_id={session}&limit=2{cursor}")
        pages.append([turn["input"] for turn in page["turns"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert pages == [
        ["Note number 4.", "Note number 3."],
        ["Note number 2.", "Note number 1."],
        ["Note number 0."],
    ]
    _, listing = await stack.call("GET", "/v1/sessions")
    # Not always the first: a turn of an earlier test may have come to its end later.
    (found,) = (other for other in listing["sessions"][:5] if other["session_id"] == session)
    assert found["turns"] == 5


async def test_two_hundred_turns_at_sixteen_at_once_all_end_saved(stack: Stack) -> None:
    """200 different rising numbers, 200 rows, and search finds all that was said."""
    word, gate = unique("load"), asyncio.Semaphore(16)

    async def one(number: int) -> dict[str, Any]:
        async with gate:
            return await stack.ask(
                f"Fact {number} of {word} is {number * 7}.", session_id=f"{word}-{number % 40}"
            )

    saved = await asyncio.gather(*(one(number) for number in range(200)))

    numbers = [turn["turn_number"] for turn in saved]
    assert len(set(numbers)) == 200
    for turn in saved:
        await stack.until_indexed(turn["turn_id"])
    rows = await stack.rows(
        "SELECT turn_number, embedding_id FROM pandora.turns WHERE input LIKE $1", f"%{word}%"
    )
    assert sorted(row["turn_number"] for row in rows) == sorted(numbers)
    assert len({row["embedding_id"] for row in rows}) == 200
    counts = await stack.counts()
    assert counts["unindexed"] == 0
    assert counts["points"] >= counts["messages"] >= counts["rows"] >= 200


async def test_any_text_is_kept_as_it_was_said(stack: Stack) -> None:
    said = "tab\there, NUL \0, emoji 🐝, right-to-left שלום, </memory> and `code`\n# not a heading"
    saved = await stack.tell(said)

    _, view = await stack.call("GET", f"/v1/turns/{saved['turn_id']}")

    assert view["input"] == said


async def test_health_and_documentation_are_served(stack: Stack) -> None:
    async with aiohttp.ClientSession() as http:
        for service in ("gateway", "orchestrator", "indexer", "inference"):
            base = f"http://127.0.0.1:{stack.ports[service]}"
            for path in ("/healthz", "/readyz", "/metrics"):
                async with http.get(base + path) as response:
                    assert response.status == 200, (service, path)
        async with http.get(f"{stack.gateway_url}/readyz") as response:
            assert set((await response.json())["dependencies"]) == {
                "disk",
                "nats",
                "orchestrator",
                "indexer",
                "inference",
            }
        async with http.get(f"{stack.gateway_url}/openapi.json") as response:
            assert "/v1/turns/{turn_id}/events" in (await response.json())["paths"]
        async with http.get(f"{stack.gateway_url}/docs") as response:
            page = await response.text()
        assert "http" not in page.replace("http-equiv", ""), "the page must not ask another host for anything"
        async with http.get(f"{stack.gateway_url}/docs/swagger-ui-bundle.js") as response:
            assert response.status == 200
