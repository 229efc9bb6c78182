"""What requests over the bus have in common: their form, the body of a refusal, and limits."""

from typing import ClassVar, Final, Generic, TypeVar, get_args

import msgspec

from shared.contract.errors import Refused

MOST_HITS: Final = 100
"""Items that a list in a reply may have."""
QUEUE_LIMIT: Final = 10_000
"""How many turns may wait. JetStream refuses one more, and its sender gets an error."""
Reply = TypeVar("Reply")


class Request(msgspec.Struct, Generic[Reply], frozen=True, kw_only=True):
    """A question with the type of its answer: `bus.ask(Search(...))` returns a `SearchReply`."""

    subject: ClassVar[str]
    """Where it ends in `*`, the answering side reads the last part as `last_part`."""
    last_part: ClassVar[str] = ""
    """The name of the field whose value is the last part of the address, where one is."""
    sign_of_life: ClassVar[type[msgspec.Struct] | None] = None
    """What is sent again and again before the answer, where the answer takes long."""
    to_all: ClassVar[bool] = False
    """Each process of the service gets it, not one of them."""

    @classmethod
    def address_at(cls, part: str) -> str:
        """`inference.generate.small`; without a part the subject itself."""
        return f"{cls.subject.removesuffix('.*')}.{part}" if part else cls.subject

    def address(self) -> str:
        """The subject that this request is sent to."""
        return self.address_at(getattr(self, self.last_part)) if self.last_part else self.subject


UNAVAILABLE: Final = 503
"""The status of a refusal that may be asked again: a `Transient` of the process that was asked."""


class Problem(msgspec.Struct, frozen=True):
    """The body of a refusal."""

    detail: str
    """One line for people."""
    field: str | None = None
    """The field of the request that is wrong, where it is one."""


def reply_type(kind: type[Request[Reply]]) -> type[Reply]:
    """`class Search(Request[SearchReply])` -> SearchReply."""
    base, *_ = vars(kind)["__orig_bases__"]  # Typing keeps `Request[SearchReply]` there.
    reply: type[Reply] = get_args(base)[0]
    return reply


def checked_limit(limit: int) -> int:
    """Raises Refused."""
    if not 1 <= limit <= MOST_HITS:
        raise Refused(422, f"limit is {limit}; it must be between 1 and {MOST_HITS}", "limit")
    return limit
