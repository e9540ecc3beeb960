"""Whatever a submission says, each check has a verdict, and each report can be written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import Story, client_session, core, packet, server_session, verdicts

from rtplab.grading.judge.registry import BY_ID, CHECKS
from rtplab.grading.model.checks import Grades, Result, Verdict
from rtplab.grading.model.editions import EDITIONS, PYTHON
from rtplab.grading.model.recording import Recording, from_lines, to_lines
from rtplab.grading.report import WRITERS

pytestmark = pytest.mark.long

TEXTS = st.text(st.characters(codec="latin-1"), max_size=60) | st.sampled_from(
    [
        "RTSP/1.0 200 OK\n",
        "RTSP/1.0\n\n\n",
        "SETUP ",
        "CSeq: 1",
        "PLAY x RTSP/1.0\nCSeq: 9\nSession",
    ]
)
BYTES = st.binary(max_size=40)
FEW = settings(max_examples=settings.default.max_examples // 3)
"""An example is judged by all checks of all editions."""


def verdicts_of_all(recordings: dict[str, Recording]) -> dict[str, Verdict]:
    """In every edition; a recording is the same after it has been kept and read again."""
    again = {name: from_lines(to_lines(one)) for name, one in recordings.items()}
    for edition in EDITIONS.values():
        assert verdicts(again, edition) == verdicts(recordings, edition)
    return verdicts(recordings)


def reports_of(found: dict[str, Verdict]) -> None:
    results = [Result(BY_ID[name], verdict, 0, 1) for name, verdict in found.items()]
    grades = Grades("any", (), PYTHON, 1, "1", tuple(results))
    for writer in WRITERS.values():
        writer(grades)


@FEW
@given(reply=TEXTS, datagram=BYTES)
def test_any_server(reply: str, datagram: bytes) -> None:
    session = server_session(lambda method, number: reply, lambda number: datagram)
    reports_of(verdicts_of_all(core(server_session=session)))


@FEW
@given(request=TEXTS, stderr=TEXTS)
def test_any_client(request: str, stderr: str) -> None:
    session = client_session(lambda method, number: f"x\n{number} {request}", stderr=stderr)
    reports_of(verdicts_of_all(core(client_session=session)))


@FEW
@given(data=BYTES, field=st.integers() | st.text(max_size=5) | st.binary(max_size=5))
def test_any_packet(data: bytes, field: object) -> None:
    recording = packet(lambda inputs, payload: data, changes={"seqNum": field})
    reports_of(verdicts_of_all(core(packet=recording)))


@pytest.mark.parametrize("scenario", sorted({name for check in CHECKS for name in check.scenarios}))
def test_a_run_that_ended_at_once(scenario: str) -> None:
    """As of a program that ends before anything is done, or a server that says nothing."""
    facts = {"loss": 0.1, "rate": 1e6, "prebuffer": 2}
    silent = Story(scenario, **facts).step("start").step("end").recording()
    story = Story(scenario, **facts).step("start").wait(0.1).step("setup").step("act").step("play")
    story.told("SETUP x RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 9").wait(1).step("end")
    for recording in (silent, story.recording(), replace(silent, events=())):
        reports_of(verdicts_of_all({**core(), scenario: recording}))
