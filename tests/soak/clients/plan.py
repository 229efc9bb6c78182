"""What each client asks, drawn from the seed."""

import os
from random import Random
from typing import Literal

import msgspec

from tests.soak.plan import USERS, Options

Kind = Literal["chat", "stream", "left", "respond", "follow", "cancel", "raw", "raw left"]
KINDS: dict[Kind, int] = {
    "chat": 24,
    "stream": 24,
    "left": 5,
    "respond": 8,
    "follow": 14,
    "cancel": 5,
    "raw": 15,
    "raw left": 5,
}
"""How often each kind is asked.

`left`: the client gives up its request, which is not streamed. `follow`: a background response whose events
are read, over as many connections as it takes. `cancel`: a background response that is stopped. `raw`: the
engine's own model, which stores nothing.
"""
_REQUESTS_PER_SECOND = 8.0
_GOES_ON = 0.7
"""How often a client goes on with its conversation."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a client's program."""

    number: int
    client: int
    begins_after: float
    """Seconds from the start of the load; later where the client is still at its request before."""
    kind: Kind
    user: str
    words: str
    goes_on: bool
    """With the conversation before, where the kind allows it. Otherwise a new one begins."""
    gives_up_after: float
    """Seconds until it leaves or cancels, where the kind says so."""

    @property
    def token(self) -> str:
        """In no other request."""
        return f"soak{self.number}x"

    @property
    def text(self) -> str:
        return f"{self.token} {self.words}"


def options() -> Options:
    """SOAK_REQUESTS in place of SOAK_TURNS, the others as `make soak` has them."""
    asked = int(os.environ.get("SOAK_REQUESTS") or 2000)
    return msgspec.structs.replace(
        Options.from_environment(), turns=asked, turns_per_second=_REQUESTS_PER_SECOND
    )


def draw_requests(options: Options) -> list[Plan]:
    return [_draw(options, number) for number in range(options.turns)]


def _draw(options: Options, number: int) -> Plan:
    chance = Random(f"{options.seed}/client plan {number}")
    client = number % options.clients
    step = options.load_seconds / -(-options.turns // options.clients)
    return Plan(
        number=number,
        client=client,
        begins_after=(number // options.clients + chance.random()) * step,
        kind=chance.choices(list(KINDS), list(KINDS.values()))[0],
        user=USERS[client % len(USERS)],
        words=" ".join(f"w{chance.randrange(1000)}" for _ in range(chance.randint(8, 30))),
        goes_on=chance.random() < _GOES_ON,
        gives_up_after=chance.uniform(0.0, 0.8),
    )
