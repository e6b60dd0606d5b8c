"""Masking by the library's rules, for content that a host records itself."""

import ctypes
import json
from typing import Any, Callable, Optional, Sequence

from .._native import check, lib, MPR_ERR_BUFFER_TOO_SMALL
from ..constants import MASK_PLACEHOLDER


def mask_text(content: bytes, content_type: Optional[bytes] = None) -> str:
    """What the library keeps of a body; a note where it understands nothing."""
    capacity = len(content) + len(content) // 2 + 256
    needed = ctypes.c_size_t()
    while True:
        out = ctypes.create_string_buffer(capacity)
        status = lib.mpr_mask(content_type, content, len(content), out, capacity, ctypes.byref(needed))
        if status != MPR_ERR_BUFFER_TOO_SMALL:
            check(status)
            return out.raw[: needed.value].decode("utf-8", "replace")
        capacity = needed.value


def as_content(value: Any) -> "tuple[bytes, Optional[bytes]]":
    """Bytes and content type of what a host gives as a body: text and bytes as they are, all else as JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), None
    if isinstance(value, str):
        return value.encode("utf-8", "replace"), None
    try:
        return json.dumps(value, default=str, skipkeys=True).encode(), b"application/json"
    except (ValueError, RecursionError):
        # It contains itself, or has no end.
        return b"", None


class Names:
    """More names to mask in content than the library was told at init().

    What the library masks is masked already. For the other names JSON and forms are read here; anything else that has
    such a name in it is replaced as a whole, since what belongs to the name cannot be told.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._wanted = frozenset(_letters(name) for name in names)
        self.needed = [name for name in self._wanted if name]

    def apply(self, text: str) -> str:
        # Escapes may spell a name in other letters.
        if "\\" not in text and "%" not in text and "&#" not in text and not self._hit(text):
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self._form(text)
        try:
            return json.dumps(self._masked(value), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            return MASK_PLACEHOLDER

    def _hit(self, name: str) -> bool:
        letters = _letters(name)
        return any(wanted in letters for wanted in self.needed)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, dict):
            if any(isinstance(one, str) and self._hit(one) for one in value.values()):
                # {"name": "pin", "value": "1234"}: which of them is the value cannot be told.
                return {key: MASK_PLACEHOLDER for key in value}
            return {key: MASK_PLACEHOLDER if self._hit(key) else self._masked(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._masked(one) for one in value]
        if isinstance(value, str) and self._hit(value):
            # JSON or a form in a string.
            return MASK_PLACEHOLDER
        return value

    def _form(self, text: str) -> str:
        parts = text.split("&")
        if "\n" in text or not all("=" in part for part in parts):
            return MASK_PLACEHOLDER
        kept = []
        for part in parts:
            name, _, value = part.partition("=")
            kept.append("%s=%s" % (name, MASK_PLACEHOLDER if self._hit(name) or "%" in name or self._hit(value) else value))
        return "&".join(kept)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def mask(keys_to_mask: Optional[Sequence[str]] = None) -> Callable[..., str]:
    """A function (value, span=None) that gives the masked text of a body: text, bytes, or anything that JSON has a form
    for. The library's rules hold for all; keys_to_mask are more names. Without names, as in 1.x, every text is masked.
    """
    more = Names(keys_to_mask or ())

    def apply(value: Any, span: Any = None) -> str:
        content, content_type = as_content(value)
        if more.needed:
            return more.apply(mask_text(content, content_type))
        try:
            return json.dumps(_all(json.loads(content)), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            return MASK_PLACEHOLDER

    return apply


def _all(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _all(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_all(one) for one in value]
    return MASK_PLACEHOLDER if isinstance(value, str) else value
