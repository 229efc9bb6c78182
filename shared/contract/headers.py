"""Headers of messages on the bus."""

from typing import Final

# --- of every stored event: CloudEvents in binary mode, and trace context ---
MESSAGE_ID: Final = "Nats-Msg-Id"
"""The message id. The stream stores the same id once within its window."""
CE_ID: Final = "ce-id"
"""The message id again."""
CONTENT_TYPE: Final = "content-type"
"""`application/json`."""
CE_VERSION: Final = "ce-specversion"
"""`1.0`."""
CE_SOURCE: Final = "ce-source"
"""`/pandora/<service>`."""
CE_TYPE: Final = "ce-type"
"""`pandora.<subject>.v<version>`."""
CE_SCHEMA: Final = "ce-dataschema"
"""`/schemas/<subject>/v<version>`."""
CE_TIME: Final = "ce-time"
"""When it was sent, RFC 3339."""
TRACE: Final = "traceparent"
"""W3C trace context, where there is a trace."""
OF_EVENTS: Final = (
    MESSAGE_ID,
    CE_ID,
    CONTENT_TYPE,
    CE_VERSION,
    CE_SOURCE,
    CE_TYPE,
    CE_SCHEMA,
    CE_TIME,
    TRACE,
)

# --- of every dead letter, next to the sender's own ---
REASON: Final = "Pandora-Reason"
"""Why the message was given up."""
ATTEMPTS: Final = "Pandora-Attempts"
"""How often it was tried, by the process that gave it up."""
FIRST_ERROR: Final = "Pandora-First-Error"
"""What went wrong the first time."""
LAST_ERROR: Final = "Pandora-Last-Error"
"""What went wrong the last time."""
DURABLE: Final = "Pandora-Durable"
"""The durable that gave it up. `orchestrator-turn-requested`: a turn that cannot be read, or has another
turn's id."""
SUBJECT: Final = "Pandora-Subject"
"""Where the message was published first."""
ORIGINAL_ID: Final = "Pandora-Message-Id"
"""The message id that it was published with. The letter's own is `<durable>:<sequence>`."""
CUT_FROM: Final = "Pandora-Cut-From-Bytes"
"""Only on a message so large that it left no room for these headers: how long its body was before it was
cut."""
OF_DEAD_LETTERS: Final = (
    MESSAGE_ID,
    REASON,
    ATTEMPTS,
    FIRST_ERROR,
    LAST_ERROR,
    DURABLE,
    SUBJECT,
    ORIGINAL_ID,
    CUT_FROM,
)

# --- of the answer to a request that was refused ---
STATUS: Final = "Nats-Service-Error-Code"
"""The HTTP status that says the same: 400 not readable, 404 not there, 409 not now, 422 not valid, 503
again later."""
RETRY_IN: Final = "Pandora-Retry-In"
"""With 503: seconds after which the same may be asked again."""
