"""Says in a header how long the answer took, as OpenAI does. Of a stream: until it began."""

from time import perf_counter

from litestar.types import ASGIApp, Message, Receive, Scope, Send

_HEADER = b"openai-processing-ms"


def timed(app: ASGIApp) -> ASGIApp:
    """A middleware of Litestar."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        start = perf_counter()

        async def send_with_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                taken = b"%d" % round(1000 * (perf_counter() - start))
                message["headers"] = [*message["headers"], (_HEADER, taken)]
            await send(message)

        await app(scope, receive, send_with_time)

    return middleware
