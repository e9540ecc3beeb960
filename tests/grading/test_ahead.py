"""Scenarios that are recorded side by side: what they give, and that all of it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from grading import grade
from movies import ROOT
from systems import needs_linux_root

from rtplab.grading.model.recording import read
from rtplab.grading.record.ahead import can_be
from rtplab.grading.record.shields import Shields

TEXTBOOK = Path(__file__).parent / "textbook"
LIMIT = 60.0

AHEAD = """
import json, os, sys, time
from pathlib import Path
from rtplab.grading.model.recording import Recording
from rtplab.grading.record.ahead import Ahead

def attempt(name):
    if name == "dies":
        os._exit(1)
    if name == "waits":
        try:
            with open("waits", "w"):
                pass
            time.sleep(600)
        finally:
            os.unlink("waits")
    facts = {"pid": os.getpid(), "network": os.readlink("/proc/self/ns/net")}
    return Recording(name, "test", facts)

ahead = Ahead(sys.argv[1].split(), attempt, Path("."))
pids = dict(ahead._workers)
taken = [ahead.take(name) for name in sys.argv[2].split()]
while "waits" in pids and not os.path.exists("waits"):
    time.sleep(0.01)
ahead.stop()
ended = [not Path(f"/proc/{pid}").exists() for pid in pids.values()]
own = os.readlink("/proc/self/ns/net")
print(json.dumps([[one and one.facts for one in taken], own, ended]))
"""


def said_of(
    scenarios: str, taken: str, folder: Path
) -> tuple[list[dict[str, str]], str, list[bool]]:
    """The facts of what was taken, this process's network, and whether each worker has ended."""
    done = subprocess.run(
        [sys.executable, "-c", AHEAD, scenarios, taken],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert not done.stderr
    facts, own, ended = json.loads(done.stdout)
    return facts, own, ended


@needs_linux_root
def test_each_worker_records_its_share_in_a_network_of_its_own(tmp_path: Path) -> None:
    facts, own, ended = said_of("a b c d", "a b c d a", tmp_path)
    assert facts.pop() is None, "it was taken twice"
    assert len({fact["pid"] for fact in facts}) == 2
    assert len({own, *(fact["network"] for fact in facts)}) == 3
    assert all(ended) and not list(tmp_path.iterdir())


@needs_linux_root
def test_what_a_worker_that_died_has_not_recorded_is_none(tmp_path: Path) -> None:
    facts, _, ended = said_of("a b dies d e", "a b dies d e", tmp_path)
    assert [fact is not None for fact in facts] == [True, True, False, True, False]
    assert all(ended)


@needs_linux_root
def test_what_nobody_takes_is_ended(tmp_path: Path) -> None:
    _, _, ended = said_of("a waits", "a", tmp_path)
    assert all(ended)
    assert not list(tmp_path.iterdir()), "it has not cleared up"


def test_a_submission_that_could_reach_another_is_not_run_beside_it() -> None:
    held_in = Shields(limits=True, network=True, processes=True, files=True)
    assert can_be(held_in)
    for missing in ({"network": False}, {"processes": False}, {"files": False}):
        assert not can_be(Shields(**{**vars(held_in), **missing}))


@pytest.mark.long
def test_scenarios_of_advice_run_at_the_same_time(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    checks = ("robust.split", "robust.early", "robust.missing", "robust.path")
    _, grades, errors = grade(
        *(TEXTBOOK, "--only", *checks, "--keep", str(kept)), report=tmp_path / "r.json"
    )
    assert not errors and {check["outcome"] for check in grades["checks"]} == {"failed"}
    shields = set(grades["shields"])
    if not {"own network", "own processes"} <= shields or not {"own folder", "own user"} & shields:
        pytest.skip("needs namespaces")
    times = []
    for check in checks:
        recording = read(kept / f"{check}.jsonl")
        began = recording.facts["wall"]
        times.append((began, began + recording.events[-1].time))
    times.sort()
    assert any(
        next_began < end for (_, end), (next_began, _) in zip(times, times[1:], strict=False)
    )
