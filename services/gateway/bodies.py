"""Request bodies, read strictly: no 0 for a boolean, no "5" for a number, no unknown field."""

from typing import Any, TypeVar

import msgspec
from litestar._openapi.schema_generation import SchemaCreator
from litestar.dto import MsgspecDTO
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from services.gateway.problems import invalid
from shared.errors import Refused
from shared.events import UNREADABLE

T = TypeVar("T", bound=msgspec.Struct)


class StrictBody(MsgspecDTO[T]):
    """Litestar's own reading of a body is lax. Here msgspec alone reads it, straight into the struct.

    The two class methods keep Litestar from making a second, transferable form of the struct.
    """

    def decode_bytes(self, value: bytes) -> Any:
        try:
            return msgspec.json.decode(value, type=self.model_type)
        except msgspec.ValidationError as error:
            raise invalid(error) from error
        except UNREADABLE as error:
            raise Refused(400, f"the body is not JSON in UTF-8: {error}") from error

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Nothing to prepare."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)
