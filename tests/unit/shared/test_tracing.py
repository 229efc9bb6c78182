"""Traces: their ids go from process to process, whether spans are recorded or not."""

import subprocess
import sys

from opentelemetry import trace

from shared.process.tracing import context_of, span, trace_headers
from tests.stack import ROOT

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
RECORDED = f"""
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from shared.process.tracing import context_of, span

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with span("process turn.requested", context_of({CALLER!r})), span("gather"):
    pass
for one in exporter.get_finished_spans():
    print(one.name, format(one.context.trace_id, "032x"), format(one.parent.span_id, "016x"))
"""


def trace_id() -> str:
    return format(trace.get_current_span().get_span_context().trace_id, "032x")


def test_the_trace_of_the_caller_goes_on() -> None:
    with span("process turn.requested", context_of(CALLER)):
        assert trace_id() == TRACE_ID
        with span("gather"):
            assert trace_headers()["traceparent"].split("-")[1] == TRACE_ID

    assert trace_headers() == {}


def test_a_span_without_a_trace_begins_one() -> None:
    found = set()
    for _ in range(2):
        with span("gather"):
            begun = trace_id()
            with span("search"):
                assert trace_id() == begun
            found.add(begun)

    assert len(found) == 2
    assert "0" * 32 not in found


def test_where_spans_are_recorded_each_has_its_parent() -> None:
    """In a process of its own: what records spans is set once a process."""
    said = subprocess.run(
        [sys.executable, "-c", RECORDED], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout

    inner, outer = [line.rsplit(" ", 2) for line in said.splitlines()]
    assert (outer[0], inner[0]) == ("process turn.requested", "gather")
    assert outer[1] == inner[1] == TRACE_ID
    assert outer[2] == "b7ad6b7169203331"
    assert inner[2] != outer[2]
