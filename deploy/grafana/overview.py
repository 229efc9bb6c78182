"""Pandora / Overview: is it up, how fast does it answer, does memory keep pace, does anything fail.

Every service exposes the whole list of metrics, at zero where it is not the one that counts. So
sums are over all services; what several replicas see of the same store (a stream's length, the rows) is taken
by `max`.
"""

from deploy.grafana.panels import (
    dashboard,
    graph,
    number,
    or_zero,
    quantiles,
    query,
    rate,
    warn_above_zero,
)

_UP_OR_DOWN = [
    {
        "type": "value",
        "options": {
            "0": {"text": "down", "color": "red", "index": 0},
            "1": {"text": "up", "color": "green", "index": 1},
        },
    }
]

_NOT_PROBES = 'route!~"/(healthz|readyz|metrics)"'

_NOW = [
    number(
        "Services",
        "Whether Prometheus reaches each service's /metrics.",
        [query('up{job=~"gateway|orchestrator|indexer|inference"}', "{{job}}")],
        mappings=_UP_OR_DOWN,
    ),
    number(
        "Turns in hand",
        "Turns that orchestrators work on now.",
        [query("sum(pandora_turns_running)", "turns")],
    ),
    number("Event streams", "SSE readers at the gateways.", [query("sum(pandora_sse_readers)", "readers")]),
    warn_above_zero(
        number(
            "Dead letters",
            "Messages that were given up and wait for a person in the stream DEAD.",
            [query(or_zero('max(pandora_stream_messages{stream="DEAD"})'), "messages")],
        )
    ),
]

_TURNS = [
    graph(
        "Ended turns",
        "suffix: turns/s",
        "Turns that ended, by how they ended.",
        [query(rate("pandora_turns_total", "outcome"), "{{outcome}}")],
    ),
    graph("Phases", "s", "How long each phase of a turn takes.", quantiles("pandora_phase_seconds", "phase")),
    graph(
        "First token",
        "s",
        "From taken by an orchestrator to the first token on the turn's stream.",
        quantiles("pandora_first_token_seconds"),
    ),
]

_TOOLS = [
    graph(
        "Tool calls",
        "suffix: calls/s",
        "Calls of tools that ended, by how they ended.",
        [query(rate("pandora_tool_calls_total", "result"), "{{result}}")],
    ),
    graph(
        "Time in tools",
        "s",
        "How long each tool takes, without the wait for a person.",
        quantiles("pandora_tool_seconds", "tool"),
    ),
    graph(
        "Approvals",
        "suffix: calls/s",
        "Tool calls that a person had to allow, by the answer; unanswered: no answer came in time.",
        [
            query(or_zero(rate(f'pandora_approval_answers_total{{answer="{answer}"}}')), answer)
            for answer in ("approved", "denied", "unanswered")
        ],
    ),
]

_ENGINE = [
    graph(
        "Wait for an orchestrator",
        "s",
        "From stored in the queue to taken.",
        quantiles("pandora_turn_queue_seconds"),
    ),
    graph(
        "Engine queue",
        "suffix: requests",
        "Generations under way, and those that wait inside the engine.",
        [
            query("sum(pandora_engine_running_requests)", "running"),
            query("sum(pandora_engine_waiting_requests)", "waiting"),
        ],
    ),
    graph(
        "Tokens",
        "suffix: tokens/s",
        "Tokens into the engine (prompts; cached: of these, from its prefix cache) and out of it (replies).",
        [query(rate("pandora_engine_tokens_total", "direction"), "{{direction}}")],
    ),
]

_MEMORY = [
    graph(
        "Index lag",
        "s",
        "From turn.saved to found by search.",
        quantiles("pandora_index_lag_seconds"),
    ),
    graph(
        "Turns per batch",
        "suffix: turns",
        "Turns that share one embedding call. Near one when idle; it grows with the load.",
        [
            query(
                f"{rate('pandora_index_batch_turns_sum')} / {rate('pandora_index_batch_turns_count')}", "mean"
            ),
        ],
    ),
    graph(
        "Reflection lag",
        "s",
        "How long ago the oldest turn was saved that the engine has still to read for the reflector. "
        "It grows while turns keep the engine busy.",
        [query("max(pandora_reflection_lag_seconds)", "lag")],
    ),
    graph(
        "Messages and points",
        "short",
        "Messages in PostgreSQL and points in Qdrant, of which a long message has several. There are fewer "
        "points than messages only while messages are being indexed.",
        [query("max(pandora_index_rows)", "messages"), query("max(pandora_index_points)", "points")],
    ),
]

_SEARCH = [
    graph(
        "Search", "s", "One search without the embedding of its query.", quantiles("pandora_search_seconds")
    ),
    graph(
        "Embedding",
        "s",
        "One call of the embedding model, by what it embeds.",
        quantiles("pandora_embed_seconds", "kind"),
    ),
    graph(
        "HTTP requests",
        "suffix: requests/s",
        "Answers of the gateways by class of status, without health checks and scrapes.",
        [
            query(
                "sum by (class) (label_replace("
                f"rate(pandora_http_requests_total{{{_NOT_PROBES}}}[$__rate_interval]), "
                '"class", "${1}xx", "status", "(.).*"))',
                "{{class}}",
            )
        ],
    ),
]

_BUS = [
    graph(
        "Stream depth",
        "suffix: messages",
        "Messages kept in each stream. TURNS is the queue; the others keep history by age.",
        [query("max by (stream) (pandora_stream_messages)", "{{stream}}")],
    ),
    graph(
        "Not yet acknowledged",
        "suffix: messages",
        "Messages that a durable consumer has still to handle. It falls back to zero after every peak.",
        [query("max by (durable) (pandora_durable_pending_messages)", "{{durable}}")],
    ),
    graph(
        "Errors",
        "suffix: errors/s",
        "Nothing here is part of normal work. Where a line rises, the service's log says why.",
        [
            query(or_zero(rate("pandora_errors_total")), "unexpected errors"),
            query(or_zero(rate('pandora_turns_total{outcome="failed"}')), "failed turns"),
            query(
                or_zero(rate('pandora_messages_total{result=~"retried|buried"}')),
                "messages retried or buried",
            ),
            query(or_zero(rate(f'pandora_http_requests_total{{{_NOT_PROBES}, status=~"5.."}}')), "HTTP 5xx"),
        ],
    ),
]

_DELIVERY = [
    graph(
        "Waiting turns",
        "suffix: turns",
        "Turns in the queue that do not run yet. Every orchestrator sees all of them.",
        [query("max(pandora_waiting_turns)", "waiting")],
    ),
    graph(
        "Turns that changed hands",
        "suffix: turns/s",
        "Turns that an orchestrator went on with after another one died or stopped, and those that one had "
        "to let go since it was taken for dead.",
        [
            query(or_zero(rate("pandora_taken_over_turns_total")), "taken over"),
            query(or_zero(rate("pandora_fenced_turns_total")), "let go"),
        ],
    ),
    graph(
        "Slow readers",
        "suffix: readers/s",
        "Event streams whose reader fell so far behind that it was moved to what is stored.",
        [query(or_zero(rate("pandora_sse_slow_readers_total")), "moved")],
    ),
]

OVERVIEW = dashboard(
    "pandora-overview",
    "Pandora / Overview",
    [
        ("Now", 4, _NOW),
        ("Turns", 8, _TURNS),
        ("Tools", 8, _TOOLS),
        ("Engine", 8, _ENGINE),
        ("Memory", 8, _MEMORY),
        ("Search and HTTP", 8, _SEARCH),
        ("Delivery", 8, _DELIVERY),
        ("The bus", 8, _BUS),
    ],
)
