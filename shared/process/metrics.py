"""Every metric, in one closed list. Base units; labels from closed sets, never ids or user text."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

# A turn, as the orchestrator sees it.
turns = Counter("pandora_turns_total", "Turns that ended.", ["outcome"])
turn_seconds = Histogram("pandora_turn_seconds", "From taken to ended.", ["outcome"], buckets=_SLOW)
turn_queue_seconds = Histogram("pandora_turn_queue_seconds", "From stored to taken.", buckets=_SLOW)
turns_running = Gauge("pandora_turns_running", "Turns in hand.")
turns_waiting = Gauge("pandora_waiting_turns", "Turns in the queue that no process runs yet.")
turns_taken_over = Counter(
    "pandora_taken_over_turns_total", "Turns gone on with after another process died or stopped."
)
turns_fenced = Counter(
    "pandora_fenced_turns_total", "Turns that this process had to let go: another one had taken them over."
)
phase_seconds = Histogram("pandora_phase_seconds", "One phase of a turn.", ["phase"], buckets=_SLOW)
first_token_seconds = Histogram(
    "pandora_first_token_seconds", "From taken to the first token on the turn's stream.", buckets=_SLOW
)

# Tools.
tool_seconds = Histogram(
    "pandora_tool_seconds",
    "One call of a tool of this process, however it ended; the wait for a person is not in it.",
    ["tool"],
    buckets=_SLOW,
)
tool_calls = Counter(
    "pandora_tool_calls_total", "Tool calls that ended; `(unknown)`: of no tool.", ["tool", "result"]
)
approvals = Counter(
    "pandora_approval_answers_total", "Tool calls that a person had to allow, by what was said.", ["answer"]
)

# The reflector.
reflection_lag_seconds = Gauge(
    "pandora_reflection_lag_seconds",
    "How long ago the oldest of the turns in hand was saved that the reflector has not read yet; 0: none.",
)

# The bus.
messages = Counter("pandora_messages_total", "Messages handled.", ["durable", "result"])
dead_letters = Counter("pandora_dead_letters_total", "Messages given up.", ["durable"])
message_seconds = Histogram(
    "pandora_message_seconds", "One message in its handler.", ["durable"], buckets=_SLOW
)
requests = Counter("pandora_requests_total", "Requests answered over NATS.", ["subject", "result"])
request_seconds = Histogram("pandora_request_seconds", "One request over NATS.", ["subject"], buckets=_FAST)
stream_messages = Gauge("pandora_stream_messages", "Messages in a stream.", ["stream"])
durable_pending = Gauge("pandora_durable_pending_messages", "Not yet acknowledged.", ["durable"])
errors = Counter("pandora_errors_total", "Unexpected errors.", ["place"])

# The indexer.
index_lag_seconds = Histogram(
    "pandora_index_lag_seconds", "From turn.saved to found by search.", buckets=_SLOW
)
index_batch_turns = Histogram(
    "pandora_index_batch_turns",
    "Turns indexed with one embedding call.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
embed_seconds = Histogram(
    "pandora_embed_seconds", "One call of the embedding model.", ["kind"], buckets=_FAST
)
search_seconds = Histogram("pandora_search_seconds", "One search without its embedding.", buckets=_FAST)
index_rows = Gauge("pandora_index_rows", "Messages in PostgreSQL.")
index_points = Gauge("pandora_index_points", "Points in Qdrant; a long message has several.")

cache_requests = Counter(
    "pandora_cache_requests_total",
    "Requests that a cache was asked about; `away`: it could not be.",
    ["kind", "result"],
)

# The engine.
engine_running = Gauge("pandora_engine_running_requests", "Generations under way.")
engine_waiting = Gauge("pandora_engine_waiting_requests", "Generations that wait in the engine.")
engine_tokens = Counter(
    "pandora_engine_tokens_total",
    "Tokens through the engine; cached: of the input, what it had in its prefix cache.",
    ["direction", "role"],
)
engine_seconds = Histogram(
    "pandora_engine_seconds", "One generation.", ["finish_reason", "role"], buckets=_SLOW
)
engine_first_token_seconds = Histogram(
    "pandora_engine_first_token_seconds", "To its first token.", ["role"], buckets=_SLOW
)

# The gateway.
http_requests = Counter("pandora_http_requests_total", "HTTP requests.", ["method", "route", "status"])
http_seconds = Histogram("pandora_http_seconds", "To the end of the answer.", ["route"], buckets=_SLOW)
sse_readers = Gauge("pandora_sse_readers", "Open event streams.")
sse_slow_readers = Counter(
    "pandora_sse_slow_readers_total", "Times that a reader was too slow and went on from what is stored."
)


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observes the block's seconds, however it ends."""
    start = perf_counter()
    try:
        yield
    finally:
        histogram.observe(perf_counter() - start)
