"""Lets the tests here use the helpers of tests/interop."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "interop"))
