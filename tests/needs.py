"""What a test cannot do without."""

from __future__ import annotations

import os

import pytest


def need(found: object, what: str) -> None:
    """Skip a test whose peer is not installed; where all of them must be, it is a failure."""
    if not found:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is not installed", pytrace=False)
        pytest.skip(f"{what} is not installed: `make test` says how")
