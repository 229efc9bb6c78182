"""The engine that answers by the rules of a script: for tests, and to watch a pipeline without a model."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final, assert_never

import msgspec

from services.inference.extractive.answer import Answer, find_answer, split_words
from services.inference.ports import Delta, Finished
from services.inference.scripted.calls import allows, made
from services.inference.scripted.request import Asked, numbered_passages, read_request, summary_of, topics_of
from services.inference.scripted.script import Rule, Script, ScriptError, Value, fill, names_in, parse_script
from services.inference.text.stops import cut_at
from services.inference.text.token_estimate import estimate_all
from shared.contract.errors import Refused, Transient
from shared.contract.events import Usage, encode
from shared.contract.requests import Generate, TokenCounts
from shared.process.environment import SettingsError

STANDARD: Final = Path(__file__).parent / "standard.toml"
GARBAGE: Final = "}{ this is no answer ]["
_MARK: Final = "[{}]"
_TURNS_REMEMBERED: Final = 10_000


class ScriptedEngine:
    """Sends the words of its script one by one. Each word between spaces counts as a token."""

    name = "scripted"
    context_tokens = 8192
    holds_prefixes = True  # It takes the place of a model, also in this.
    waiting = 0

    def __init__(self, script: Script) -> None:
        self._script = script
        self._uses: OrderedDict[str, dict[int, int]] = OrderedDict()
        """By turn, then by rule: how often the rule has answered."""

    @classmethod
    def of_file(cls, path: Path | None) -> "ScriptedEngine":
        """Raises SettingsError where SCRIPT cannot be read or understood."""
        where = f"SCRIPT={str(path or STANDARD)!r}"
        try:
            return cls(parse_script((path or STANDARD).read_text(encoding="utf-8")))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise SettingsError(f"{where} cannot be read: {reason}.") from error
        except ScriptError as error:
            raise SettingsError(f"{where}: {error}. Correct it there (docs/inference.md).") from error

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        model = self._model_for(request.model)
        asked = read_request(request)
        _refuse_images(request)
        rule, groups, time = self._rule_for(request, asked)
        await asyncio.sleep(rule.delay_seconds)
        await _fail_before_a_word(rule)
        values = groups | {"model": model}
        text, quoted = await self._text_of(rule, time, request, asked, values)
        text = cut_at(request.stop, text)
        words = split_words(text[: len(text) // 2] if rule.fail in {"cut", "broken"} else text)
        said = words if request.max_tokens is None else words[: request.max_tokens]
        for word in said:
            yield Delta(word, 1)
            await asyncio.sleep(1 / rule.words_per_second if rule.words_per_second else 0)
        if rule.fail == "broken":
            raise Refused(502, f"the script breaks off after {len(said)} words")
        is_whole = len(said) == len(words) and rule.fail != "cut"
        calls = made(fill(msgspec.to_builtins(rule.calls), _of_question(asked) | values)) if is_whole else []
        yield Finished(
            reason=("tool_calls" if calls else "stop") if is_whole else "length",
            model=model,
            usage=Usage(
                input_tokens=sum(estimate_all(message.content for message in request.messages)),
                output_tokens=len(said),
            ),
            sources=quoted.sources if quoted else None,
            quoted=quoted is not None,
            tool_calls=calls,
        )

    def _model_for(self, wanted: str | None) -> str:
        models = self._script.models
        if wanted not in {None, *models}:
            raise Refused(
                404, f"there is no model {wanted!r}; this worker answers as {', '.join(models)}", "model"
            )
        return wanted or models[0]

    def _rule_for(self, request: Generate, asked: Asked) -> tuple[Rule, dict[str, str], int]:
        """The first rule that matches, its named groups, and how often it has answered in this turn
        before."""
        turn = request.request_id.partition(":")[0]
        uses = self._uses.setdefault(turn, {})
        self._uses.move_to_end(turn)
        if len(self._uses) > _TURNS_REMEMBERED:
            self._uses.popitem(last=False)
        for number, rule in enumerate(self._script.rule):
            time = uses.get(number, 0)
            if rule.times is not None and time >= rule.times:
                continue
            groups = rule.match(asked) if allows(request, rule.calls) else None
            if groups is not None:
                uses[number] = time + 1
                return rule, groups, time
        raise Refused(
            422,
            f"no rule of the script is for role {asked.role!r}, phase {asked.phase!r}, schema "
            f"{asked.schema!r}, these tools and this text; add one to the file of SCRIPT",
        )

    async def _text_of(
        self, rule: Rule, time: int, request: Generate, asked: Asked, values: dict[str, str]
    ) -> tuple[str, Answer | None]:
        """The words to send. Where they are only a quotation, also that quotation with its sources."""
        if rule.fail == "garbage":
            return GARBAGE, None
        template = rule.said(time)
        names = names_in(template)
        quotation: Answer | None = None
        known: dict[str, Value] = {**_of_question(asked), "passages": numbered_passages(request)}
        # In a thread: long texts take some 10 us a word, and the event loop has other work.
        if "summary" in names:
            known["summary"] = await asyncio.to_thread(summary_of, asked.text)
        if "extract" in names:
            quotation = await asyncio.to_thread(find_answer, asked.question, request.passages, _MARK)
            known["extract"] = quotation.text
        filled = fill(template, known | values)
        if isinstance(filled, dict):
            return encode(filled).decode(), None
        text = filled if isinstance(filled, str) else ", ".join(filled)
        return text.strip(), quotation if quotation and text == quotation.text else None

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        self._model_for(model)
        return TokenCounts(counts=estimate_all(texts), exact=False)

    async def models(self) -> list[str]:
        return self._script.models

    async def check(self) -> None:
        """Always ready: it needs nothing outside of this process."""


def _of_question(asked: Asked) -> dict[str, Value]:
    """What placeholders stand for, in an answer and in the arguments of calls."""
    return {"question": asked.question, "text": asked.text, "topics": topics_of(asked.question)}


def _refuse_images(request: Generate) -> None:
    if request.role != "EYES" and any(message.images for message in request.messages):
        raise Refused(422, f"scripted looks at images as EYES only, not as {request.role}", "messages")


async def _fail_before_a_word(rule: Rule) -> None:
    match rule.fail:
        case "refused":
            raise Refused(422, "the script refuses this request")
        case "transient":
            raise Transient("the script takes no requests now")
        case "silence":
            await asyncio.Event().wait()
        case "garbage" | "cut" | "broken" | None:
            return
        case _:
            assert_never(rule.fail)
