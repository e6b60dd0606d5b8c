"""What a trace id of OpenTelemetry Python (a whole number) says about sessions."""

# The first three of the sixteen bytes; docs/protocol.md of libmpr has the layout.
MANUAL, CONTINUOUS, SESSION, SESSION_CACHE, DOC = 0xDEBDEB, 0xCDBCDB, 0xCDBCAC, 0xDEBCDB, 0xD0CD0C

#: Of these traces all is recorded, with content.
IN_SESSION = frozenset((MANUAL, CONTINUOUS, SESSION, SESSION_CACHE))

#: These the library delivers.
KEPT = IN_SESSION | {DOC}


def in_session(trace_id: int) -> bool:
    """Whether a trace belongs to a session."""
    return (trace_id >> 104) in IN_SESSION
