"""Lists as OpenAI's clients read them: by pages, either way round."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter

from services.gateway.responses.ids import no_such_item
from services.gateway.responses.objects import InputMessage, OutputMessage

ListedItem = InputMessage | OutputMessage
Order = Literal["asc", "desc"]
Limit = Annotated[int, Parameter(ge=1, le=100)]


class ItemList(msgspec.Struct, kw_only=True, frozen=True):
    object: Literal["list"] = "list"
    data: Sequence[ListedItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


def page_of(items: Sequence[ListedItem], order: Order, after: str | None, limit: int) -> ItemList:
    """`items`: oldest first. Raises Refused (404) where `after` is none of them."""
    ordered = list(items) if order == "asc" else list(reversed(items))
    if after is not None:
        ids = [item.id for item in ordered]
        if after not in ids:
            raise no_such_item(after)
        ordered = ordered[ids.index(after) + 1 :]
    page = ordered[:limit]
    return ItemList(
        data=page,
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
        has_more=len(ordered) > limit,
    )
