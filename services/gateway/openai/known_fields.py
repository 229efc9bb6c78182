"""Whether a body has fields that no one knows. Ignored, a misspelled field changes nothing."""

from typing import ClassVar, Protocol

import msgspec

from shared.contract.errors import Refused


class Asked(Protocol):
    """A body that was read."""

    __struct_fields__: ClassVar[tuple[str, ...]]
    ignored: ClassVar[frozenset[str]]
    """Fields that OpenAI knows, and that change nothing here."""


class KnownFields:
    def __init__(self, *, is_strict: bool) -> None:
        """`is_strict`: OPENAI_ROUTES_STRICT. Else unknown fields are ignored, as OpenAI does."""
        self._is_strict = is_strict

    def check(self, body: bytes, asked: Asked) -> None:
        """Raises Refused for a field that is neither read nor one of OpenAI's."""
        if not self._is_strict:
            return
        sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        for field in sent.keys() - set(asked.__struct_fields__) - asked.ignored:
            raise Refused(
                422, f"there is no field {field!r}; leave it out, or set OPENAI_ROUTES_STRICT=false", field
            )
