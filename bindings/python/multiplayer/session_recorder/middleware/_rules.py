"""What a middleware captures and masks, beside what init() says for the whole process."""

import ctypes
import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .. import _native, _options, _recorder
from .._native import invalid, lib
from ..constants import MASK_PLACEHOLDER
from ..sdk.mask import Names, mask_text

#: Names of the options, in snake_case, and what they are when they are not given.
DEFAULTS: Dict[str, Any] = {
    "max_payload_size_bytes": None,
    "capture_headers": True,
    "capture_body": True,
    "is_mask_body_enabled": True,
    "is_mask_headers_enabled": True,
    "mask_body": None,
    "mask_headers": None,
    "mask_body_fields_list": (),
    "mask_headers_list": (),
    "headers_to_include": None,
    "headers_to_exclude": None,
}

#: The names that init() has for the same.
ALIASES = {
    "max_payload_bytes": "max_payload_size_bytes",
    "mask_body_fields": "mask_body_fields_list",
    "mask_header_names": "mask_headers_list",
}

# How much of a body is held for a host's own masking when no limit is set: init()'s default.
_OWN_LIMIT = 400_000


class Rules:
    """A middleware's options, checked and ready for use."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        options = dict(DEFAULTS)
        for name, value in given.items():
            ours = _options.snake(name) if isinstance(name, str) else ""
            ours = ALIASES.get(ours, ours)
            if ours not in options:
                raise _options.unknown(str(name), set(DEFAULTS) | set(ALIASES), "middleware")
            options[ours] = value
        limit = options["max_payload_size_bytes"]
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise invalid("middleware: maxPayloadSizeBytes is a number of bytes, and not %r" % (limit,))
        for name in ("capture_headers", "capture_body", "is_mask_body_enabled", "is_mask_headers_enabled"):
            if options[name] not in (True, False, None):
                raise invalid("middleware: %s is True or False, and not %r" % (_options.camel(name), options[name]))
        for name in ("mask_body", "mask_headers"):
            if options[name] is not None and not callable(options[name]):
                raise invalid("middleware: %s is a function (value, span), and not %r" % (_options.camel(name), options[name]))
        self.limit: Optional[int] = limit
        self.capture_headers = options["capture_headers"] is not False
        self.capture_body = options["capture_body"] is not False
        self.mask_body: Optional[Callable[[Any, Any], Any]] = options["mask_body"]
        self.mask_headers: Optional[Callable[[Any, Any], Any]] = options["mask_headers"]
        self.raw_body = options["is_mask_body_enabled"] is False
        self.raw_headers = options["is_mask_headers_enabled"] is False
        self.body_names = _options.names(options["mask_body_fields_list"])
        self.header_names = _options.names(options["mask_headers_list"])
        self.include = _lower(options["headers_to_include"])
        self.exclude = _lower(options["headers_to_exclude"])
        #: The body's text is made here, and not by the library.
        self.own_body = self.raw_body or self.mask_body is not None
        self.own_headers = self.raw_headers or self.mask_headers is not None
        self._generation = -1
        self._more_body: Optional[Names] = None
        self._more_headers: List[str] = []
        #: Nothing beyond what the library does by itself.
        self.plain = False
        if not _recorder.session_recorder._on:
            # The library can still be told, which is cheaper than a second look at each body.
            _recorder.early_masks["mask_body_fields"].update(dict.fromkeys(self.body_names))
            _recorder.early_masks["mask_header_names"].update(dict.fromkeys(self.header_names))

    @property
    def holds(self) -> int:
        """How much of a body is held where it is not the library that masks it."""
        return _OWN_LIMIT if self.limit is None else min(_OWN_LIMIT, self.limit * 4 + 4096)

    def ready(self) -> "Rules":
        """These rules, for the options of the last init()."""
        if self._generation != _recorder.session_recorder._generation:
            self._generation = _recorder.session_recorder._generation
            missing = [name for name in self.body_names if not _masks_field(name)]
            self._more_body = Names(missing) if missing else None
            self._more_headers = [name.lower() for name in self.header_names if not _masks_header(name)]
            self.plain = (
                self.capture_headers and self.capture_body and self.limit is None
                and not self.own_body and not self.own_headers
                and self.include is None and self.exclude is None
                and self._more_body is None and not self._more_headers
            )  # fmt: skip
        return self

    def finish(self, kind: int, found: Dict[str, Any], head: bytes, body: bytes, size: int, span: Any) -> None:
        """Applies to `found`, the attributes that the library made, what is beyond it."""
        which = "request" if kind == _native.MPR_PAYLOAD_HTTP_REQUEST else "response"
        headers, content = "multiplayer.http.%s.headers" % which, "multiplayer.http.%s.body" % which
        if not self.capture_headers:
            for name in [name for name in found if name.startswith(headers)]:
                del found[name]
        elif self.own_headers or self._more_headers or self.include is not None or self.exclude is not None:
            self._headers(found, headers, head, span)
        if not self.capture_body:
            for name in [name for name in found if name.startswith(content)]:
                del found[name]
            return
        if self.own_body:
            if size:
                found[content] = self._own_text(body, size, head, span)
                if size > len(body):
                    found[content + ".truncated"], found[content + ".size"] = "true", str(size)
        elif self._more_body is not None and content in found:
            found[content] = self._more_body.apply(found[content])
        if self.limit is not None and content in found:
            encoded = found[content].encode("utf-8", "replace")
            if len(encoded) > self.limit:
                found[content] = encoded[: self.limit].decode("utf-8", "ignore")
                found[content + ".truncated"] = "true"
                found.setdefault(content + ".size", str(size))

    def _own_text(self, body: bytes, size: int, head: bytes, span: Any) -> str:
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            if len(body) == size or error.end < len(body) - 3:
                declared = dict(pairs(head)).get("content-type", "unknown type").split(";")[0]
                return "[%s, %d bytes, not captured: binary]" % (declared, size)
            text = body.decode("utf-8", "ignore")
        if self.mask_body is None or self.raw_body:
            return text
        value: Any = text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            pass
        return _masked_by(self.mask_body, value, span)

    def _headers(self, found: Dict[str, Any], key: str, head: bytes, span: Any) -> None:
        if self.own_headers:
            shown: Any = {name: value for name, value in pairs(head, False)}
        else:
            try:
                shown = json.loads(found.get(key, "{}"))
            except ValueError:
                # The library cut a list that was too long.
                shown = {}
        if not isinstance(shown, dict):
            shown = {}
        for name in list(shown):
            low = name.lower()
            if (self.include is not None and low not in self.include) or (self.exclude is not None and low in self.exclude):
                del shown[name]
            elif low in self._more_headers and not self.raw_headers:
                shown[name] = MASK_PLACEHOLDER
        if self.mask_headers is not None and not self.raw_headers:
            found[key] = _masked_by(self.mask_headers, shown, span)
        else:
            found[key] = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _masked_by(function: Callable[[Any, Any], Any], value: Any, span: Any) -> str:
    try:
        masked = function(value, span)
        return masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)
    except Exception as error:
        _recorder._log(30, "a masking function of a middleware failed: %r" % error)
        return MASK_PLACEHOLDER


def pairs(head: bytes, lower: bool = True) -> List[Tuple[str, str]]:
    """The headers of lines."""
    found = []
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            text = name.decode("latin-1").strip()
            found.append((text.lower() if lower else text, value.decode("latin-1").strip()))
    return found


def _lower(names: Any) -> Optional[List[str]]:
    found = [name.lower() for name in _options.names(names)]
    return found or None


_VALUE = "Zq7 quiet"


def _masks_field(name: str) -> bool:
    """Whether the library masks a field of that name."""
    return _VALUE not in mask_text(json.dumps({name: _VALUE}).encode(), b"application/json")


def _masks_header(name: str) -> bool:
    """Whether the library masks a header of that name."""
    text = ("%s: %s" % (name, _VALUE)).encode("utf-8", "replace")
    found: Dict[str, Any] = json.loads(
        _native.read_counted(lib.mpr_explain_mask, b"message/http", text, len(text))
    )
    return bool(found.get("masked"))


_known: Dict[Any, Rules] = {}


def rules(config: Any = None, options: Optional[Mapping[str, Any]] = None) -> Rules:
    """The rules of a dict, of an HttpMiddlewareConfig, or of keywords; made once for the same options."""
    if config is None:
        given: Dict[str, Any] = {}
    elif isinstance(config, Mapping):
        given = dict(config)
    elif hasattr(config, "__dict__"):
        given = dict(config.__dict__)
    else:
        raise invalid("middleware: options are a dict or an HttpMiddlewareConfig, and not %r" % (config,))
    if options:
        given.update(options)
    try:
        key = tuple([(name, tuple(value) if type(value) is list else value) for name, value in given.items()])
        found = _known.get(key)
    except TypeError:
        return Rules(given)
    if found is None:
        found = Rules(given)
        if len(_known) < 256:
            _known[key] = found
    return found
