"""The soak of `make soak` with all its viewers, for seconds instead of minutes."""

from __future__ import annotations

import shutil

import pytest
from movies import ROOT
from needs import need

pytest.importorskip("resource", reason="the soak counts what POSIX lends a process")

from soak.browsers import HTTP
from soak.good import WAYS
from soak.hostile import ACTS
from soak.live import LIVE
from soak.report import Limits
from soak.run import soak
from soak.slow import SLOW

MINUTES = 0.2
HASTY = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from rtplab.serving.media import store
store.IDLE_SECONDS = 1.0
from Server import Server
sys.exit(Server().main())
"""
"""A server that soon closes what nobody watches."""
# A slow machine may let anybody wait, and come to its number of viewers late.
PATIENT = Limits(reply=10.0, frame=10.0, late_share=0.5, growth=1.0, few=20)


@pytest.mark.alone
@pytest.mark.peers  # too long for `make check`
def test_viewers_of_all_kinds_come_and_go_and_leave_nothing_behind():
    need(shutil.which("openssl"), "openssl")
    outcome = soak(MINUTES, 1, PATIENT, ("-c", HASTY, ROOT))
    assert outcome.failures() == [], outcome.table()
    assert set(outcome.tally.frames) == {*WAYS, SLOW, LIVE, HTTP}
    assert len(outcome.tally.hostile) >= len(ACTS) / 2, outcome.table()
