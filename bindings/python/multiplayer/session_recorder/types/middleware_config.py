"""Options of the middlewares as an object."""

from dataclasses import dataclass, field
from typing import Any, Callable, List, Optional


@dataclass
class HttpMiddlewareConfig:
    """What a middleware captures, and what it masks beside what init() says.

    maxPayloadSizeBytes: longest text of a body, None for init()'s. captureHeaders, captureBody: whether at all.
    isMaskBodyEnabled, isMaskHeadersEnabled: False leaves that part as it is. maskBody, maskHeaders: functions (value, span)
    that give the text to record in place of the built-in masking; value is the parsed JSON of a body, else its text, or a
    dict of headers. maskBodyFieldsList, maskHeadersList: names beside the built-in ones. headersToInclude: the only headers
    to record; headersToExclude: those not to.
    """

    maxPayloadSizeBytes: Optional[int] = None

    captureHeaders: bool = True
    captureBody: bool = True

    isMaskBodyEnabled: bool = True
    isMaskHeadersEnabled: bool = True

    maskBody: Optional[Callable[[Any, Any], Any]] = None
    maskHeaders: Optional[Callable[[Any, Any], Any]] = None

    maskBodyFieldsList: List[str] = field(default_factory=list)
    maskHeadersList: List[str] = field(default_factory=list)

    headersToInclude: Optional[List[str]] = None
    headersToExclude: Optional[List[str]] = None
