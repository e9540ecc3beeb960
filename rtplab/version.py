"""The version of this package, as `pip` and `--version` tell it."""

__version__ = "1.0.0"
