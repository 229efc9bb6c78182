"""How the stored events of a durable reach their handler, and how each message is settled.

FastStream pulls the messages and runs the handlers. A handler never sees an acknowledgement: it returns
events, or raises `Transient` (again later) or `Poison` (never). Four middlewares do the rest. Every message
passes them in this order: `InHand`, `Metrics`, `Settlement`, `Tracing`.
"""

from shared.bus.deliveries.batches import Batches
from shared.bus.deliveries.consumer import Consumer, Delivery, Handler, consuming

__all__ = ["Batches", "Consumer", "Delivery", "Handler", "consuming"]
