"""Which traces are recorded."""

from typing import Any, Optional, Sequence

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from .._native import MPR_RECORD_AND_SAMPLE, invalid, quick
from .._trace_ids import KEPT


class SessionRecorderTraceIdRatioBasedSampler(Sampler):
    """Records every trace of a session and every documentation trace, and of the others the share `rate` (0 to 1), as
    OpenTelemetry's TraceIdRatioBased does. May be the root of a ParentBased.
    """

    TRACE_ID_LIMIT = (1 << 64) - 1

    def __init__(self, rate: float) -> None:
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise invalid("SessionRecorderTraceIdRatioBasedSampler: rate is a number from 0 to 1, not %r" % (rate,))
        self._rate = float(rate)

    @classmethod
    def get_bound_for_rate(cls, rate: float) -> int:
        """The bound on the low 64 bits of a trace id below which the trace is recorded."""
        return round(rate * (cls.TRACE_ID_LIMIT + 1))

    @property
    def rate(self) -> float:
        """The share of the traces outside sessions that is recorded."""
        return self._rate

    @property
    def bound(self) -> int:
        """See get_bound_for_rate()."""
        return self.get_bound_for_rate(self._rate)

    def should_sample(
        self,
        parent_context: Optional[Context],
        trace_id: int,
        name: str,
        kind: Optional[SpanKind] = None,
        attributes: Attributes = None,
        links: Optional[Sequence[Link]] = None,
        trace_state: Optional[TraceState] = None,
        *_later: Any,
    ) -> SamplingResult:
        wanted = trace_id >> 104 in KEPT or (
            # Most services keep nothing else, which is seen without a call of the library.
            self._rate > 0 and quick.mpr_should_sample(trace_id.to_bytes(16, "big"), self._rate) == MPR_RECORD_AND_SAMPLE
        )
        state = otel.get_current_span(parent_context).get_span_context().trace_state
        if wanted:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)
        return SamplingResult(Decision.DROP, None, state)

    def get_description(self) -> str:
        return "SessionRecorderTraceIdRatioBased{%s}" % self._rate
