"""Hypothesis strategies for messages, read off their declared types."""

from datetime import UTC
from functools import partial
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as i

from shared.contract.events import AnyLiveEvent, encode


def messages(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any valid instance of a struct."""
    return _values(i.type_info(kind))


def _values(declared: i.Type) -> st.SearchStrategy[Any]:
    match declared:
        case i.Metadata():
            return _values(declared.type)
        case i.StrType(pattern=str(pattern)):
            return st.from_regex(pattern, fullmatch=True)
        case i.StrType():
            return st.text(min_size=declared.min_length or 0, max_size=40)
        case i.IntType():
            least = -(2**63) if declared.ge is None else declared.ge
            return st.integers(least, 2**63 - 1 if declared.le is None else declared.le)
        case i.FloatType():
            return st.floats(declared.ge, declared.le, allow_nan=False, allow_infinity=False)
        case i.BoolType():
            return st.booleans()
        case i.BytesType():
            return st.binary(max_size=40)
        case i.NoneType():
            return st.none()
        case i.DateTimeType():
            return st.datetimes(timezones=st.just(UTC))
        case i.LiteralType():
            return st.sampled_from(declared.values)
        case i.UnionType():
            return st.one_of([_values(one) for one in declared.types])
        case i.ListType():
            return st.lists(_values(declared.item_type), min_size=declared.min_length or 0, max_size=3)
        case i.DictType():
            return st.dictionaries(_values(declared.key_type), _values(declared.value_type), max_size=3)
        case i.AnyType():
            return st.none() | st.booleans() | st.text(max_size=20)
        case i.RawType():
            return _values(i.type_info(AnyLiveEvent)).map(encode).map(msgspec.Raw)
        case i.StructType():
            fields = {field.name: _values(field.type) for field in declared.fields}
            return st.builds(partial(declared.cls), **fields)
        case _:
            raise NotImplementedError(f"no strategy for {declared}")
