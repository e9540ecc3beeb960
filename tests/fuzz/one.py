"""Fuzzes one target with atheris: `python tests/fuzz/one.py TARGET [libFuzzer's arguments]`.

A file among the arguments is run once: so a finding is reproduced.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

PACKAGES = ["rtplab", "RtpPacket", "VideoStream"]
with atheris.instrument_imports(include=PACKAGES):
    from targets import TARGETS

name = sys.argv.pop(1)
atheris.enabled_hooks.add("RegEx")
atheris.enabled_hooks.add("str")
atheris.Setup(sys.argv, TARGETS[name])
atheris.Fuzz()
