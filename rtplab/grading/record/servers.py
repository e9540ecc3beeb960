"""The scenarios in which our lab client talks to the submission's server."""

from __future__ import annotations

import time

from rtplab.grading.record.labclient import LabClient, started_server, status_of
from rtplab.grading.record.run import Run

PLAYED, RESUMED = 30, 20
"""Packets waited for until PAUSE, and after the second PLAY: one and a half seconds, and one."""
PATIENCE = 3.0  # seconds for them, twice what they take
AFTERWARDS = 1.5  # seconds for a reply, of a server that has been answering
STILL = 0.7  # seconds in which a server that pauses, or has been torn down, must be silent


def session(run: Run) -> None:
    """SETUP, PLAY, PAUSE, PLAY, TEARDOWN."""
    client = connected(run)
    if client is None:
        return
    recorder, server = run.recorder, run.programs[0]
    recorder.step("setup")
    if status_of(client.ask("SETUP")) == 200:
        recorder.step("play")
        client.ask("PLAY")
        server.sample()
        recorder.wait_until_count("udp.in", PLAYED, PATIENCE)
        server.sample()
        recorder.step("pause")
        client.ask("PAUSE")
        time.sleep(STILL)
        recorder.step("resume")
        client.ask("PLAY")
        recorder.wait_for("udp.in", PATIENCE, RESUMED)
        recorder.step("teardown")
        client.ask("TEARDOWN")
        time.sleep(STILL)
    recorder.step("end")


def second(run: Run) -> None:
    """SETUP on one connection, then on another, by a different client."""
    client = connected(run)
    if client is None:
        return
    recorder = run.recorder
    recorder.step("setup")
    client.ask("SETUP")
    recorder.step("setup-again")
    other = LabClient(run, int(recorder.facts["rtsp_port"]), 2)
    other.ask("SETUP", limit=AFTERWARDS)
    recorder.step("end")


def connected(run: Run) -> LabClient | None:
    """Our client, connected to their server; None if that fails, which is recorded."""
    recorder = run.recorder
    recorder.step("start")
    program, port = started_server(run)
    if not port:
        program.sample()
        recorder.step("end")
        return None
    try:
        client = LabClient(run, port)
    except OSError:
        recorder.add("tcp.refused", port=port)
        recorder.step("end")
        return None
    recorder.facts["rtp_port"] = client.rtp.port
    return client
