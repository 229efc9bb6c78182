"""What every question over the bus has in common."""

from typing import ClassVar, Generic, TypeVar

import msgspec

Reply = TypeVar("Reply")


class Request(msgspec.Struct, Generic[Reply], frozen=True, kw_only=True):
    """A question with the type of its answer: `bus.ask(Search(...))` returns a `SearchReply`."""

    subject: ClassVar[str]
    """Where a `*` stands for a field that `address` puts in, the answering side finds it in the subject."""

    def address(self) -> str:
        return self.subject
