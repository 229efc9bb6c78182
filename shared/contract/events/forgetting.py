"""What has to be forgotten, on the stream FORGETTING: [forgetting.md](forgetting.md)."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.contract.events.event import Event
from shared.contract.events.ids import TurnId, User

ForgetScope = Literal["turn", "session", "memory", "user"]


class ForgetRequested(Event, frozen=True, kw_only=True):
    """anyone -> orchestrator: this has to be forgotten, in every store and for good.

    Message id: `<forget_id>:forget.requested`. Ask `forget.receipt` how far it is.
    """

    subject: ClassVar[str] = "forget.requested"

    forget_id: TurnId
    """The request's own id. The gateway draws a UUIDv7."""
    user: User
    scope: ForgetScope
    """What is forgotten. `user`: everything of the user."""
    target: str = ""
    """The id of the turn, session or memory. Empty where `scope` is `user`."""
    requested_at: datetime
    """When it was asked for. Turns that began later are kept."""
    now: bool = False
    """True: its bytes are erased at once, with those of all earlier requests. False: later, together with
    others."""

    @property
    def about(self) -> str:
        return self.forget_id
