"""The version of this package; the library has its own, lib.mpr_version()."""

__version__ = "2.0.0"
