"""Stored events: facts on a JetStream stream."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact on a stream. A subclass names its subject; `message_id` is never random."""

    subject: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def ce_type(cls) -> str:
        return f"pandora.{cls.subject}.v{cls.version}"

    @classmethod
    def ce_dataschema(cls) -> str:
        return f"/schemas/{cls.subject}/v{cls.version}"

    @property
    def about(self) -> str:
        """The id of what it happened to."""
        raise NotImplementedError  # Each family of events says it: a struct can have no abstract members.

    @property
    def message_id(self) -> str:
        return f"{self.about}:{self.subject}"
