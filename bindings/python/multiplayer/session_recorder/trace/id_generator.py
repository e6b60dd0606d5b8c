"""Trace ids that carry the session."""

import ctypes
import random
from typing import Any

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from .. import _trace_ids
from .._native import invalid, quick
from .._recorder import SessionType

_TraceId = ctypes.c_uint8 * 16
_SpanId = ctypes.c_uint8 * 8
# Its own: a host that calls random.seed() would have the same ratio decisions in all its processes.
_random = random.SystemRandom()
_LOW_104 = (1 << 104) - 1


class SessionRecorderRandomIdGenerator(RandomIdGenerator):
    """Makes random ids; while a session runs the trace ids carry it. Give it to TracerProvider(id_generator=...).

    autoDocTracesRatio: the share (0 to 1) of the traces outside a session that become documentation traces, which the
    platform's system map is drawn from. Ids are made by the library: unique also in forked processes, and in hosts that
    call random.seed().
    """

    _makes_session_ids = True

    def __init__(self, autoDocTracesRatio: float = 0.0, *, auto_doc_traces_ratio: float = 0.0) -> None:
        super().__init__()
        ratio = autoDocTracesRatio or auto_doc_traces_ratio
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
            raise invalid("SessionRecorderRandomIdGenerator: autoDocTracesRatio is a number from 0 to 1, not %r" % (ratio,))
        self._doc_ratio = float(ratio)
        self.session_type: Any = ""
        self.session_short_id = ""
        self._prefix = 0

    def set_session_id(self, session_short_id: str, session_type: Any = SessionType.PLAIN) -> None:
        """Has the ids of this generator carry a session that the recorder did not start; "" for none.

        (session_recorder.start() needs no such call.)
        """
        if session_short_id:
            try:
                if len(session_short_id) != 8:
                    raise ValueError
                short = int(session_short_id, 16)
                kind = SessionType(session_type)
            except ValueError:
                raise invalid(
                    "set_session_id: a short id is 8 hex digits and the type PLAIN or CONTINUOUS, not %r, %r"
                    % (session_short_id, session_type)
                ) from None
            first = _trace_ids.CONTINUOUS if kind == SessionType.CONTINUOUS else _trace_ids.MANUAL
            self._prefix = (first << 32 | short) << 72
        else:
            self._prefix = 0
        self.session_short_id = session_short_id
        self.session_type = session_type

    def generate_span_id(self) -> int:
        out = _SpanId()
        quick.mpr_generate_span_id(out)
        return int.from_bytes(out, "big")

    def generate_trace_id(self) -> int:
        out = _TraceId()
        quick.mpr_generate_trace_id(out)
        trace_id = int.from_bytes(out, "big")
        if self._prefix:
            return self._prefix | trace_id & ((1 << 72) - 1)
        if self._doc_ratio and trace_id >> 104 not in _trace_ids.KEPT and _random.random() < self._doc_ratio:
            return _trace_ids.DOC << 104 | trace_id & _LOW_104
        return trace_id

    def is_trace_id_random(self) -> bool:
        """Of every id 72 bits are random."""
        return True
