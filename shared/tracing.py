"""W3C trace context across the bus, and spans to an OTLP collector where one is set."""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

tracer = trace.get_tracer("pandora")
_w3c = TraceContextTextMapPropagator()


def configure_tracing(service: str, endpoint: str | None) -> None:
    """Without an endpoint spans are made (so that trace ids travel and reach the logs) but never sent."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"pandora-{service}"}))
    if endpoint:
        # Imported here: the exporter brings protobuf, which nobody without a collector needs in memory.
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
