"""What start() starts."""

from .._recorder import SessionType

__all__ = ["SessionType"]
