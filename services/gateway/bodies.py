"""Request bodies, read strictly: no 0 for a boolean, no "5" for a number, no unknown field."""

from typing import Any, TypeVar

import msgspec
from litestar.dto import MsgspecDTO

from services.gateway.problems import invalid
from shared.errors import Refused

T = TypeVar("T", bound=msgspec.Struct)


class StrictBody(MsgspecDTO[T]):
    """Litestar's own reading is lax; this keeps its OpenAPI schema and decodes with msgspec alone."""

    def decode_bytes(self, value: bytes) -> Any:
        try:
            return msgspec.json.decode(value, type=self.model_type)
        except msgspec.ValidationError as error:
            raise invalid(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(400, f"the body is not JSON in UTF-8: {error}") from error
