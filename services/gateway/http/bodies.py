"""Request bodies, read strictly: no 0 for a boolean, no "5" for a number, no unknown field."""

from typing import Any, Protocol, TypeVar

import msgspec
from litestar.dto import MsgspecDTO
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from services.gateway.http.problems import invalid
from shared.contract.errors import Refused
from shared.contract.events import UNREADABLE

T = TypeVar("T", bound=msgspec.Struct)


class SchemaSource(Protocol):
    """What Litestar gives to `create_openapi_schema`."""

    schema_registry: Any

    def for_field_definition(self, field_definition: FieldDefinition) -> Schema | Reference: ...


class StrictBody(MsgspecDTO[T]):
    """Reads a body with msgspec alone, straight into the struct. Litestar's own reading is lax.

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
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaSource
    ) -> Reference | Schema:
        schema = schema_creator.for_field_definition(field_definition)
        if isinstance(schema, Reference) and cls.model_type.__struct_config__.forbid_unknown_fields:
            schema_creator.schema_registry.from_reference(schema).schema.additional_properties = False
        return schema
