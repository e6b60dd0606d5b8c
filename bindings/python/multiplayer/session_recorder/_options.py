"""Options of init(): the names that the published packages have, ours beside them, and the library's."""

import json
import re
from typing import Any, Dict, List, Mapping, Optional

from . import _native
from ._native import invalid

#: Every option of the library, in snake_case.
NAMES = frozenset(name for names in _native.OPTIONS.values() for name in names)

#: What this package takes beside them.
OWN = frozenset({"trace_id_generator", "generate_session_short_id_locally", "log_callback"})

#: Other names that the published packages have for options.
ALIASES = {
    "max_payload_size_bytes": "max_payload_bytes",
    "max_capturing_http_payload_size": "max_payload_bytes",
    "is_mask_body_enabled": "mask_body",
    "is_mask_headers_enabled": "mask_headers",
    "mask_body_fields_list": "mask_body_fields",
    "mask_headers_list": "mask_header_names",
    "exporter_endpoint": "traces_endpoint",
}

_RESOURCE = {
    "serviceName": "service_name", "service_name": "service_name", "service.name": "service_name",
    "version": "service_version", "serviceVersion": "service_version", "service_version": "service_version",
    "service.version": "service_version",
    "environment": "environment", "deployment.environment": "environment",
}  # fmt: skip


def snake(name: str) -> str:
    """A name in snake_case, e.g. api_key for apiKey."""
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def camel(name: str) -> str:
    """A name in camelCase, e.g. apiKey for api_key."""
    return re.sub("_([a-z])", lambda letter: letter[1].upper(), name)


def unknown(given: str, known: Any, what: str) -> Exception:
    """The error of a name that nobody knows, with the nearest that somebody does."""
    import difflib

    # Compared and told in the spelling of the one who wrote it.
    spelled = sorted(camel(name) if re.search("[A-Z]", given) else name for name in known)
    near = difflib.get_close_matches(given, spelled, 1, 0.5)
    hint = "did you mean %r?" % near[0] if near else "known are %s" % ", ".join(spelled)
    return invalid("%s: unknown option %r: %s" % (what, given, hint))


def by_name(given: Mapping[str, Any], what: str = "init") -> Dict[str, Any]:
    """Options of any spelling by the names of this package; raises for one that is unknown or given twice."""
    options: Dict[str, Any] = {}
    for name, value in given.items():
        if not isinstance(name, str):
            raise invalid("%s: option names are text, and %r is not" % (what, name))
        ours = snake(name)
        ours = ALIASES.get(ours, ours)
        if ours not in NAMES and ours not in OWN:
            raise unknown(name, NAMES | OWN | set(ALIASES), what)
        if ours in options and options[ours] != value:
            raise invalid("%s: %s is given twice with different values" % (what, ours))
        options[ours] = value
    return options


def resource(options: Dict[str, Any]) -> None:
    """Takes what names the service out of resource_attributes, where the published packages have it."""
    given = options.get("resource_attributes")
    if not isinstance(given, Mapping):
        return
    rest = {}
    for name, value in given.items():
        ours = _RESOURCE.get(name)
        if ours is None:
            # What is not set in the host's environment is often None; OpenTelemetry leaves such out, too.
            if value is not None:
                rest[name] = value
        elif value is not None:
            options.setdefault(ours, value)
    options["resource_attributes"] = rest


def encoded(options: Mapping[str, Any]) -> bytes:
    """The library's JSON of options."""
    for name, value in options.items():
        if not isinstance(value, (str, int, float)):
            dumped(value, "init: %s" % camel(name))
    return dumped(options, "init")


def dumped(value: Any, what: str) -> bytes:
    """JSON for the library; what JSON has no form for is our error and not Python's."""
    try:
        return json.dumps(value, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid("%s: %s" % (what, error)) from None


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError("%s has no form in JSON: use text, numbers, True, False, None, lists and dicts" % type(value).__name__)


def names(value: Optional[Any]) -> List[str]:
    """A list of names, from a list or from text with commas."""
    if value is None:
        return []
    if isinstance(value, str):
        value = value.split(",")
    try:
        found = list(value)
    except TypeError:
        found = [value]
    if not all(isinstance(name, str) for name in found):
        raise invalid("names are text, and one of %r is not" % (found,))
    return [name.strip() for name in found if name.strip()]
