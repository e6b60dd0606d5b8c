"""Options of init() as an object."""

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Union


@dataclass
class SessionRecorderConfig:
    """What init() takes in place of a dict; every other option goes beside it as a keyword."""

    apiKey: Optional[str] = None
    traceIdGenerator: Any = None
    resourceAttributes: Optional[Mapping[str, Any]] = None
    generateSessionShortIdLocally: Union[bool, Callable[[], str], None] = None
