"""A server that speaks OpenAI's API: its models, and one streamed answer."""

import json
from time import perf_counter
from typing import Any, Final

import msgspec

from cli.client.address import gateway_key, gateway_url
from cli.client.gateway import json_body
from cli.client.http import Answer, HttpError, NoConnection, request
from cli.terminal.failure import CommandFailed

_SILENCE_SECONDS: Final = 120.0
_HINTS = {
    401: " Give a valid key with --key.",
    403: " Give a key that may do this with --key.",
    404: " Check the address and --model.",
}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. Times in seconds since the request was sent."""

    first_token: float
    whole: float
    tokens: int
    is_counted: bool
    """False: the server told no usage, and pieces of text were counted."""


class Server:
    """Every call raises CommandFailed where the server does not answer as it should."""

    def __init__(self, url: str, key: str) -> None:
        """The own key is never sent to another server than the own gateway."""
        base = url.rstrip("/").removesuffix("/v1")
        if not base.startswith(("http://", "https://")):
            raise CommandFailed(f"{url} is no address. Write it like http://127.0.0.1:8000.")
        own = gateway_key() if base == gateway_url() else None
        self.url = f"{base}/v1"
        self._headers = {"Authorization": f"Bearer {key or own}"} if key or own else {}

    async def only_model(self) -> str:
        listed = await self._read("/models")
        names = [str(one["id"]) for one in listed.get("data", []) if isinstance(one, dict) and "id" in one]
        if len(names) == 1:
            return names[0]
        shown = ", ".join(names[:20]) or "none"
        raise CommandFailed(f"{self.url} lists these models: {shown}. Choose one with --model.")

    async def _read(self, path: str) -> dict[str, Any]:
        try:
            async with request(
                "GET", self.url + path, self._headers, None, silence=_SILENCE_SECONDS
            ) as answer:
                await self._check(answer)
                return msgspec.json.decode(await answer.read(), type=dict[str, Any])
        except (HttpError, TimeoutError, msgspec.DecodeError) as error:
            raise self._failure(error) from error

    async def answer(self, model: str, prompt: str, tokens: int) -> Measured:
        """Asks once, and reads the stream to its end."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        began = perf_counter()
        try:
            async with request(
                *("POST", f"{self.url}/chat/completions", self._headers, json_body(body)),
                silence=_SILENCE_SECONDS,
            ) as answer:
                await self._check(answer)
                return await _read_stream(answer, began)
        except (HttpError, TimeoutError, ValueError) as error:
            raise self._failure(error) from error

    async def _check(self, answer: Answer) -> None:
        if answer.status < 300:
            return
        detail = _detail(await answer.read())
        hint = _HINTS.get(answer.status, "")
        raise CommandFailed(f"{self.url} refused with status {answer.status}: {detail}.{hint}")

    def _failure(self, error: Exception) -> CommandFailed:
        why = str(error) or "nothing came in time"
        if isinstance(error, NoConnection):
            return CommandFailed(f"No server answers at {self.url} ({why}). Check the address.")
        return CommandFailed(f"The answer of {self.url} broke off or is not as OpenAI's ({why}).")


async def _read_stream(answer: Answer, began: float) -> Measured:
    """Raises ValueError where the stream has no answer or is no stream."""
    first, pieces, usage = 0.0, 0, 0
    async for line in answer.lines():
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        chunk = json.loads(data)
        if "error" in chunk:
            raise ValueError(_detail(data))
        usage = (chunk.get("usage") or {}).get("completion_tokens") or usage
        if any((choice.get("delta") or {}).get("content") for choice in chunk.get("choices") or ()):
            first = first or perf_counter() - began
            pieces += 1
    if not pieces:
        raise ValueError("the stream has no text")
    return Measured(
        first_token=first, whole=perf_counter() - began, tokens=usage or pieces, is_counted=bool(usage)
    )


def _detail(body: bytes) -> str:
    """Returns what OpenAI's or an RFC 9457 error says, or its beginning."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:200].decode(errors="replace") or "no reason given"
    error = found.get("error")
    said = error.get("message") if isinstance(error, dict) else error
    return str(said or found.get("detail") or found.get("title") or "no reason given").rstrip(".")
