"""The scripted engine: its answers by the standard script, and what a script can make it do."""

import asyncio
import itertools
import json
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from services.inference.ports import Delta, Finished
from services.inference.scripted.engine import ScriptedEngine
from services.inference.scripted.script import parse_script
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Generate, Message, Passage
from shared.process.environment import SettingsError

PIXEL = "data:image/png;base64,iVBORw0KGgo="
MIRA = Passage(turn_number=12, score=1.0, similarity=0.8, input="My sister Mira lives in Lisbon.")
_turns = itertools.count()


def ask(text: str = "Where does Mira live?", turn: str = "", **more: Any) -> Generate:
    turn = turn or f"turn-{next(_turns)}"
    return Generate(**({"request_id": f"{turn}:1", "messages": [Message("user", text)]} | more))


def asked_by_a_phase(said: str, title: str, **more: Any) -> Generate:
    """As the phases of a turn ask: the user's words between tags."""
    role = "REFLEX" if title in {"Analysis", "Gate"} else "MIND"
    return ask(
        f"<memory>\n7 * 6\n</memory>\n\n<user>\n{said}\n</user>", role=role, schema={"title": title}, **more
    )


async def said(engine: ScriptedEngine, request: Generate) -> tuple[str, Finished]:
    async with aclosing(engine.generate(request)) as parts:
        *deltas, finished = [part async for part in parts]
    assert isinstance(finished, Finished)
    return "".join(delta.text for delta in deltas if isinstance(delta, Delta)), finished


def engine_of(script: str) -> ScriptedEngine:
    return ScriptedEngine(parse_script(script))


@pytest.fixture
def standard() -> ScriptedEngine:
    return ScriptedEngine.of_file(None)


# --- the script that ships ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "intent", "needs_tools"),
    [
        ("Where does my sister Mira live?", "question", False),
        ("who keeps bees", "question", False),
        ("What is 12 * 7?", "question", True),
        ("How much is 10 - 3", "question", True),
        ("What happened on 2023-05-08?", "question", False),
        ("What time is it?", "question", True),
        ("Good morning!", "smalltalk", False),
        ("Hello, where does Mira live?", "question", False),
        ("Please remember that I like tea.", "command", False),
        ("My sister Mira lives in Lisbon.", "statement", False),
        ("", "statement", False),
        ("?" * 5000, "question", False),
        ("1" * 100_000, "statement", False),
    ],
)
async def test_any_words_are_analysed(
    standard: ScriptedEngine, words: str, intent: str, needs_tools: bool
) -> None:
    text, finished = await said(standard, asked_by_a_phase(words, "Analysis"))

    analysis = json.loads(text)
    assert (analysis["intent"], analysis["needs_tools"]) == (intent, needs_tools)
    assert analysis.keys() == {"intent", "topics", "resolved", "needs_memory", "needs_tools", "queries"}
    assert analysis["resolved"] == words
    assert finished.reason == "stop"


async def test_the_gate_lets_on_and_the_verdict_approves(standard: ScriptedEngine) -> None:
    gate, _ = await said(standard, asked_by_a_phase("Anything", "Gate"))
    verdict, _ = await said(standard, asked_by_a_phase("Anything", "Verdict"))

    assert json.loads(gate)["decision"] == "proceed"
    assert json.loads(verdict) == {"decision": "approve", "reasons": []}


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("What is 12 * 7?", "12 * 7"),
        ("Is 12*7+1.5 more than that?", "12*7+1.5"),
        ("(2 + 3) * 4 is what?", "(2 + 3) * 4"),
        ("Take 10 - 3 away.", "10 - 3"),
    ],
)
async def test_what_can_be_computed_is_planned_once(
    standard: ScriptedEngine, words: str, expression: str
) -> None:
    first, _ = await said(standard, asked_by_a_phase(words, "Plan", turn=f"compute {words}"))
    second, _ = await said(standard, asked_by_a_phase(words, "Plan", turn=f"compute {words}"))

    [call] = json.loads(first)["calls"]
    assert (call["tool"], call["arguments"]) == ("calculator", {"expression": expression})
    assert not json.loads(first)["is_done"]
    assert json.loads(second)["calls"] == []
    assert json.loads(second)["is_done"]


@pytest.mark.parametrize(
    ("words", "tools"),
    [("What time is it?", ["clock.now"]), ("Where does Mira live?", []), ("On 2023-05-08?", [])],
)
async def test_a_plan_calls_what_the_words_need(
    standard: ScriptedEngine, words: str, tools: list[str]
) -> None:
    plan, _ = await said(standard, asked_by_a_phase(words, "Plan"))

    assert [call["tool"] for call in json.loads(plan)["calls"]] == tools
    assert json.loads(plan)["is_done"] == (not tools)


async def test_the_answer_quotes_memory_with_its_marks(standard: ScriptedEngine) -> None:
    text, finished = await said(standard, ask(passages=[MIRA], phase="synthesis"))

    assert text == "My sister Mira lives in Lisbon. [turn 12]"
    assert [source.turn_number for source in finished.sources or []] == [12]
    assert finished.quoted
    assert finished.model == "scripted"


async def test_the_answer_says_honestly_that_nothing_is_known(standard: ScriptedEngine) -> None:
    text, finished = await said(standard, ask("What does Tomas eat?", passages=[MIRA], phase="synthesis"))

    assert text == "Nothing is known about that."
    assert finished.sources == []


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        ("Hello!", "Hello. Tell me"),
        ("Thank you.", "You are welcome."),
        ("Hello, my brother Tomas is a baker in Riga.", "Noted."),
    ],
)
async def test_a_greeting_is_answered_as_one(standard: ScriptedEngine, words: str, begin: str) -> None:
    text, _ = await said(standard, ask(words, question=words, phase="synthesis"))

    assert text.startswith(begin)


@pytest.mark.parametrize(
    ("tools", "answer"),
    [
        ('calculator {"expression":"12 * 7"} found:\n12 * 7 = 84', "12 * 7 = 84."),
        ('memory.search {"query":"a"} found [turn 3]:\nBees fly\n\nmore', "Bees fly [turn 3]."),
        ('calculator {"expression":"1 / 0"} failed:\nno result', "calculator could not do it: no result"),
    ],
)
async def test_the_answer_says_what_a_tool_found(standard: ScriptedEngine, tools: str, answer: str) -> None:
    text, _ = await said(standard, ask(f"<tools>\n{tools}\n</tools>\n\nWhat is it?", question="What is it?"))

    assert text == answer


async def test_the_answer_says_what_eyes_saw(standard: ScriptedEngine) -> None:
    images = "<images>\n[Image bed.jpg: Two leeks.]\n</images>\n\nWhat grows here?"

    text, _ = await said(standard, ask(images, question="What grows here?"))

    assert text == "bed.jpg: Two leeks."


async def test_a_text_is_compressed_to_its_first_sentences(standard: ScriptedEngine) -> None:
    text, _ = await said(
        standard, ask("<memory>\n[turn 1]\nBees fly.\n</memory>", role="NERVES", phase="gather")
    )

    assert text == "[turn 1] Bees fly."


async def test_eyes_see_a_picture_and_others_refuse_one(standard: ScriptedEngine) -> None:
    look: dict[str, Any] = {"messages": [Message("user", "What is it?", [PIXEL])]}

    text, _ = await said(standard, ask(role="EYES", **look))

    assert text == "A picture."
    with pytest.raises(Refused, match="EYES only") as refusal:
        await said(standard, ask(role="VOICE", **look))
    assert refusal.value.status == 422


async def test_what_the_reflector_asks_is_answered_with_nothing(standard: ScriptedEngine) -> None:
    text, _ = await said(standard, ask('{"message":"I live in Lisbon."}', role="NERVES", phase="reflect"))

    assert text == "[]"


# --- what a script can say ---------------------------------------------------------------------------------


async def test_a_list_is_said_one_after_the_other_by_turn() -> None:
    engine = engine_of("[[rule]]\nanswer = ['one', 'two']")

    answers = [(await said(engine, ask(turn=turn)))[0] for turn in ("a", "a", "b", "a")]

    assert answers == ["one", "two", "one", "two"]


async def test_a_rule_can_be_for_the_first_times_of_a_turn_only() -> None:
    engine = engine_of("[[rule]]\nfail = 'transient'\ntimes = 2\n[[rule]]\nanswer = 'well'")

    for _ in range(2):
        with pytest.raises(Transient, match="script"):
            await said(engine, ask(turn="a"))
    assert (await said(engine, ask(turn="a")))[0] == "well"
    with pytest.raises(Transient):
        await said(engine, ask(turn="b"))


async def test_it_speaks_at_its_pace_after_its_delay() -> None:
    engine = engine_of("[[rule]]\nanswer = 'a b c d'\nwords_per_second = 50\ndelay_seconds = 0.1")
    begun = perf_counter()

    async with aclosing(engine.generate(ask())) as parts:
        times = [perf_counter() - begun async for part in parts if isinstance(part, Delta)]

    assert times[0] >= 0.1
    assert all(later - earlier >= 0.015 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("fail", "error", "words"),
    [("refused", Refused, 0), ("transient", Transient, 0), ("broken", Refused, 2)],
)
async def test_it_fails_as_it_is_told(fail: str, error: type[Exception], words: int) -> None:
    engine = engine_of(f"[[rule]]\nanswer = 'a b c d'\nfail = '{fail}'")
    seen: list[Delta | Finished] = []

    async def read() -> None:
        async for part in engine.generate(ask()):
            seen.append(part)

    with pytest.raises(error, match="the script"):
        await read()
    assert len(seen) == words


async def test_garbage_is_no_json_and_what_is_cut_says_so() -> None:
    garbage, finished = await said(engine_of("[[rule]]\njson = {a = 1}\nfail = 'garbage'"), ask())
    with pytest.raises(json.JSONDecodeError):
        json.loads(garbage)
    assert finished.reason == "stop"

    cut, finished = await said(engine_of("[[rule]]\njson = {a = 'b'}\nfail = 'cut'"), ask())
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    assert finished.reason == "length"


async def test_silence_lasts_until_somebody_ends_it() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await said(engine_of("[[rule]]\nfail = 'silence'"), ask())


async def test_what_no_rule_is_for_is_refused_with_what_it_was() -> None:
    with pytest.raises(Refused, match=r"role 'VOICE', phase 'synthesis'.*SCRIPT") as refusal:
        await said(engine_of("[[rule]]\nrole = 'MIND'\nanswer = 'a'"), ask(phase="synthesis"))

    assert refusal.value.status == 422


async def test_it_answers_as_the_models_of_its_script() -> None:
    engine = engine_of("models = ['big', 'small']\n[[rule]]\nanswer = 'I am {model}.'")

    assert await engine.models() == ["big", "small"]
    assert (await said(engine, ask()))[0] == "I am big."
    assert (await said(engine, ask(model="small")))[0] == "I am small."


async def test_turns_are_not_remembered_for_ever() -> None:
    engine = engine_of("[[rule]]\nanswer = 'a'")

    for number in range(10_050):
        await said(engine, ask(turn=f"t{number}"))

    assert len(engine._uses) == 10_000


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"\xff", "no UTF-8"), (b"[[rule]]\nanwser = 'a'", "rule 1: .*`anwser`")],
)
def test_a_script_that_cannot_be_used_is_named_with_its_setting(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=rf"^SCRIPT='{path}'.*{told}"):
        ScriptedEngine.of_file(path)
