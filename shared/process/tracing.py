"""W3C trace context in the headers of messages, and spans for an OTLP collector where one is set."""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

tracer = trace.get_tracer("pandora")
_w3c = TraceContextTextMapPropagator()


def configure_tracing(service: str, endpoint: str | None) -> None:
    """Without an endpoint no span is recorded. Trace ids still travel, and are in the logs."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"pandora-{service}"}),
        sampler=ParentBased(ALWAYS_ON) if endpoint else ALWAYS_OFF,
    )
    if endpoint:
        # Imported here: without a collector protobuf need not be in memory.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
        )
    trace.set_tracer_provider(provider)


def trace_headers() -> dict[str, str]:
    headers: dict[str, str] = {}
    _w3c.inject(headers)
    return headers


def context_of(headers: Mapping[str, str] | None) -> Context:
    return _w3c.extract(headers or {})
