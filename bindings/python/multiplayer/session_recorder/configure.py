"""OpenTelemetry for a host that has none set up."""

from typing import Any, Optional

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased

from . import _recorder
from ._native import SessionRecorderError, MPR_ERR_INVALID_STATE
from .exporter._native_export import SessionRecorderSpanProcessor
from .trace.id_generator import SessionRecorderRandomIdGenerator
from .trace.sampler import SessionRecorderTraceIdRatioBasedSampler


def session_sampler(rate: float) -> ParentBased:
    """Records the traces of sessions, whatever their parents say; else what the parent says, and of traces that begin
    here the share `rate`."""
    sampler = SessionRecorderTraceIdRatioBasedSampler(rate)
    sessions = SessionRecorderTraceIdRatioBasedSampler(0.0)
    return ParentBased(sampler, remote_parent_not_sampled=sessions, local_parent_not_sampled=sessions)


def configure_opentelemetry(
    service_name: Optional[str] = None,
    *,
    rate: float = 0.0,
    id_generator: Optional[SessionRecorderRandomIdGenerator] = None,
    resource_attributes: Optional[Any] = None,
) -> TracerProvider:
    """Sets up OpenTelemetry's tracing for sessions and makes it the global one: ids, sampling and delivery.

    rate: the share (0 to 1) of the traces outside sessions that is sampled, for exporters of one's own. The service's name
    and its attributes are those of session_recorder.init() unless they are given. Returns the provider, to which more
    processors may be added. Raises SessionRecorderError (MPR_ERR_INVALID_STATE) when the host has set up a provider:
    give that one id_generator=SessionRecorderRandomIdGenerator(), sampler=SessionRecorderTraceIdRatioBasedSampler(rate)
    and add_span_processor(SessionRecorderSpanProcessor()).
    """
    if isinstance(otel.get_tracer_provider(), TracerProvider):
        raise SessionRecorderError(
            MPR_ERR_INVALID_STATE,
            "MPR_ERR_INVALID_STATE",
            "configure_opentelemetry: OpenTelemetry is set up already: give its TracerProvider "
            "id_generator=SessionRecorderRandomIdGenerator(), sampler=SessionRecorderTraceIdRatioBasedSampler(rate) and "
            "add_span_processor(SessionRecorderSpanProcessor()) instead",
        )
    attributes = {**_recorder.session_recorder._resource, **(resource_attributes or {})}
    if service_name:
        attributes["service.name"] = service_name
    provider = TracerProvider(
        resource=Resource.create(attributes),
        id_generator=id_generator or SessionRecorderRandomIdGenerator(),
        sampler=session_sampler(rate),
    )
    provider.add_span_processor(SessionRecorderSpanProcessor())
    otel.set_tracer_provider(provider)
    return provider
