"""Pages of sessions, and of the messages of one."""

from datetime import UTC, datetime, timedelta

import msgspec

from shared.contract.errors import Refused
from shared.contract.requests import HeldMessage, ListMessagesReply

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SessionCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page of sessions ended. As text: `<microseconds since 1970>,<session id>`."""

    last_at: datetime
    session_id: str

    def written(self) -> str:
        return f"{(self.last_at - _EPOCH) // _MICROSECOND},{self.session_id}"

    @classmethod
    def read(cls, text: str) -> "SessionCursor":
        """Raises Refused."""
        at, _, session_id = text.partition(",")
        try:
            return cls(last_at=_EPOCH + int(at) * _MICROSECOND, session_id=session_id)
        except (ValueError, OverflowError) as error:
            raise Refused(422, "cursor must be the next_cursor of the page before", "cursor") from error


def messages_page(
    reply: ListMessagesReply, session_id: str, limit: int
) -> tuple[list[HeldMessage], str | None]:
    """Returns the first `limit` messages of the session, and the cursor of the next page, if there is one.

    The reply goes on with the sessions that come after it.
    """
    own = [message for message in reply.messages if message.session_id == session_id]
    page = own[:limit]
    may_go_on = len(own) > limit or (reply.more and len(own) == len(reply.messages))
    return page, str(page[-1].ordinal + 1) if page and may_go_on else None
