"""What a test cannot do without."""

from __future__ import annotations

import pytest


def need(found: object, what: str) -> None:
    """Skip a test whose peer is not installed; in CI that is a failure (conftest.py)."""
    if not found:
        pytest.skip(f"{what} is not installed: `make test` says how")
