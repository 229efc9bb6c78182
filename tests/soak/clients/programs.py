"""Programs over OpenAI's own client, unchanged: it repeats what fails before an answer begins, and a program
sends its request again where a stream breaks off."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

import httpx
import msgspec
import openai

from tests.contracts.inference.engines_server import MODEL
from tests.soak.clients.plan import Plan
from tests.soak.plan import KEYS

RECIPE: Final = "pandora-direct"
_RETRIES: Final = 40
"""Of the client itself, for one request: it waits 8 s at most between two."""
_BREAKS: Final = (openai.APIError, httpx.HTTPError)
"""What a program meets in the middle of a stream."""
_PATIENCE_SECONDS: Final = 180.0
_PAUSE_SECONDS: Final = 0.3
_LAST: Final = ("response.completed", "response.failed", "response.incomplete")
Messages = list[dict[str, str]]


class Asked(msgspec.Struct, kw_only=True):
    """One request, as its program knows it."""

    plan: Plan
    turn_ids: set[str] = msgspec.field(default_factory=set)
    is_over: bool = False
    answer: str | None = None
    """The whole answer, where the program has it."""
    status: str = ""
    """Of a response: how it ended."""
    conversation: int = 0
    faults: list[str] = []
    seconds: float = 0.0


class Program:
    """One client, which asks one thing after the other."""

    def __init__(self, base_url: str, user: str, errors: Counter[str]) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=KEYS[user], max_retries=_RETRIES, timeout=60.0
        )
        self._errors = errors
        self._conversations = 0
        self._messages: Messages = []
        self._response_id: str | None = None

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, plan: Plan, asked: Asked) -> None:
        is_response = plan.kind in {"respond", "follow", "cancel"}
        if not plan.goes_on or (self._messages if is_response else self._response_id):
            self._begin_anew()
        asked.conversation = self._conversations
        begun = monotonic()
        match plan.kind:
            case "chat":
                await self._chat(plan, asked)
            case "stream":
                await self._until_over(asked, lambda: self._stream(plan, asked))
            case "left":
                await self._leave(plan, asked)
            case "respond":
                await self._respond(plan, asked)
            case "follow":
                await self._follow(plan, asked)
            case "cancel":
                await self._cancel(plan, asked)
            case "raw":
                await self._raw(plan, asked)
            case "raw left":
                await self._leave_raw(plan)
        asked.is_over = True
        asked.seconds = monotonic() - begun

    def _begin_anew(self) -> None:
        self._conversations += 1
        self._messages, self._response_id = [], None

    async def _until_over(self, asked: Asked, attempt: Callable[[], Awaitable[None]]) -> None:
        """Tries again where a stream breaks off."""
        until = monotonic() + _PATIENCE_SECONDS
        while True:
            broke = "ended early"
            try:
                await attempt()
            except _BREAKS as error:
                broke = type(error).__name__
            if asked.is_over:
                return
            self._errors[f"{asked.plan.kind}: {broke}"] += 1
            if monotonic() > until:
                asked.faults.append(f"no whole answer within {_PATIENCE_SECONDS:g} s: {broke}")
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    # --- chat completions ---

    async def _chat(self, plan: Plan, asked: Asked) -> None:
        history = self._grown(plan)
        made = await self._complete(RECIPE, history)
        _note_chat(asked, made.id)
        self._answered(asked, history, made.choices[0].message.content)

    async def _stream(self, plan: Plan, asked: Asked) -> None:
        history, said, is_whole = self._grown(plan), "", False
        async for chunk in await self._complete(RECIPE, history, stream=True):
            _note_chat(asked, chunk.id)
            for choice in chunk.choices:
                said += choice.delta.content or ""
                is_whole = is_whole or choice.finish_reason is not None
        if is_whole:
            self._answered(asked, history, said)

    async def _leave(self, plan: Plan, asked: Asked) -> None:
        """The turn goes on without its client, where it was accepted."""
        asking = asyncio.ensure_future(self._complete(RECIPE, self._grown(plan)))
        done, _ = await asyncio.wait({asking}, timeout=plan.gives_up_after)
        if done:
            _note_chat(asked, asking.result().id)
            asked.answer = asking.result().choices[0].message.content
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        self._begin_anew()

    def _grown(self, plan: Plan) -> Messages:
        return [*self._messages, {"role": "user", "content": plan.text}]

    def _answered(self, asked: Asked, history: Messages, answer: str) -> None:
        asked.answer, asked.is_over = answer, True
        self._messages = [*history, {"role": "assistant", "content": answer}]

    # --- responses ---

    async def _respond(self, plan: Plan, asked: Asked) -> None:
        made = await self._new_response(plan)
        _note_response(asked, made)
        asked.answer, self._response_id = made.output_text, made.id

    async def _follow(self, plan: Plan, asked: Asked) -> None:
        made = await self._new_response(plan, background=True)
        _note_response(asked, made)
        said: list[tuple[int, str]] = []
        await self._until_over(asked, lambda: self._read(made.id, asked, said))
        if asked.answer is None:
            asked.answer = "".join(text for _, text in said)
        if asked.status == "completed":
            self._response_id = made.id

    async def _read(self, response_id: str, asked: Asked, said: list[tuple[int, str]]) -> None:
        """Goes on after the last event that it has."""
        last = said[-1][0] if said else -1
        stream: Any = await self._client.responses.retrieve(response_id, stream=True, starting_after=last)
        async for event in stream:
            if event.sequence_number != last + 1:
                asked.faults.append(f"read {event.type} {event.sequence_number} after {last}")
            last = event.sequence_number
            said.append((last, event.delta if event.type == "response.output_text.delta" else ""))
            if event.type in _LAST:
                _note_response(asked, event.response)
                asked.is_over = True
            if event.type == "error" and event.code == "answer_revised":
                await self._look(response_id, asked)

    async def _look(self, response_id: str, asked: Asked) -> None:
        """A worker died, and its answer began anew in other words: the events end and say where it is."""
        made = await self._client.responses.retrieve(response_id)
        while made.status in {"queued", "in_progress"}:
            await asyncio.sleep(_PAUSE_SECONDS)
            made = await self._client.responses.retrieve(response_id)
        _note_response(asked, made)
        asked.answer, asked.is_over = made.output_text, True

    async def _cancel(self, plan: Plan, asked: Asked) -> None:
        made = await self._new_response(plan, background=True)
        await asyncio.sleep(plan.gives_up_after)
        _note_response(asked, await self._client.responses.cancel(made.id))
        self._begin_anew()

    async def _new_response(self, plan: Plan, **more: Any) -> Any:
        if self._response_id is not None:
            more["previous_response_id"] = self._response_id
        return await self._client.responses.create(model=RECIPE, input=plan.text, **more)

    # --- the engine's own model ---

    async def _raw(self, plan: Plan, asked: Asked) -> None:
        made = await self._complete(MODEL, [{"role": "user", "content": plan.text}])
        asked.answer = made.choices[0].message.content
        if asked.answer != plan.text:
            asked.faults.append(f"the engine's model answered {asked.answer!r}")

    async def _leave_raw(self, plan: Plan) -> None:
        messages = [{"role": "user", "content": plan.text}]
        with contextlib.suppress(*_BREAKS):
            async for chunk in await self._complete(MODEL, messages, stream=True):
                if chunk.choices and chunk.choices[0].delta.content:
                    break

    async def _complete(self, model: str, messages: Messages, **more: Any) -> Any:
        create: Any = self._client.chat.completions.create
        return await create(model=model, messages=messages, **more)


def _note_chat(asked: Asked, completion_id: str) -> None:
    asked.turn_ids.add(completion_id.removeprefix("chatcmpl-"))


def _note_response(asked: Asked, response: Any) -> None:
    asked.turn_ids.add(response.id.removeprefix("resp_"))
    asked.status = response.status
