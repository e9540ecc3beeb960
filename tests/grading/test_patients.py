"""Clients that show nothing, run for real: each is cured by the one thing that the doctor names."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import runs
from mutants import CLIENT, WORKER, copy_textbook

from rtplab.grading import doctor
from rtplab.grading.judge.registry import BY_ID
from rtplab.grading.model.checks import Result, failed
from rtplab.grading.model.editions import HD, PYTHON, Edition
from rtplab.grading.model.recording import Recording
from rtplab.grading.record.run import Scenario, record
from rtplab.grading.record.trials import client_trial, has_asked_to_play, server_trial

pytestmark = [
    pytest.mark.peers,
    pytest.mark.long,
    pytest.mark.skipif(not runs.has_screen(), reason="needs Xvfb, on Linux"),
]

NOTHING_SHOWN = {
    "client.shows": Result(BY_ID["client.shows"], failed("nothing was shown"), 0.0, 8.0)
}
Change = tuple[str, str]

NEWER = "if currFrameNbr > self.frameNbr:"
WHILE_PLAYING = (NEWER, "if currFrameNbr > self.frameNbr and self.state == self.PLAYING:")
PLAYED = "elif self.requestSent == self.PLAY:"
RECEIVED = "            reply = self.rtspSocket.recv(1024)\n"


def plays_if(condition: str) -> tuple[Change, ...]:
    """Shows frames in the state PLAYING, which it takes only from some replies."""
    return (WHILE_PLAYING, (PLAYED, f"{PLAYED[:-1]} and {condition}:"))


def receives_twice(condition: str) -> Change:
    more = f"            if {condition}:\n                reply += self.rtspSocket.recv(1024)\n"
    return RECEIVED, RECEIVED + more


@dataclass(frozen=True)
class Patient:
    """A textbook with changes in one file, each of a text that is there once."""

    cure: doctor.Factor
    changes: Sequence[Change]
    file: str = CLIENT

    def attempts(self, folder: Path, edition: Edition = PYTHON) -> doctor.Try:
        path = copy_textbook(folder) / self.file
        text = path.read_text(encoding="utf-8")
        for old, new in self.changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        # Of its own, and so are its ports.
        stage, seed = runs.staged(folder), zlib.crc32(bytes(folder))

        def attempt(name: str, scenario: Scenario, facts: doctor.Facts) -> Recording:
            recording = record(name, scenario, stage, edition, seed, facts)
            assert not recording.fault, recording.fault
            return recording

        return attempt


ENDS_AT_THE_FIRST_TIMEOUT = (
    ("settimeout(0.5)", "settimeout(0.3)"),
    ("if self.playEvent.is_set():\n                    break", "break"),
)

PATIENTS = (
    Patient(doctor.ALONE, ENDS_AT_THE_FIRST_TIMEOUT),
    Patient(doctor.MARKER, ((NEWER, f"{NEWER[:-1]} and data[1] & 0x80:"),)),
    Patient(doctor.SMALL, (("recv(20480)", "recv(1500)"),)),
    Patient(doctor.SIX_DIGITS, plays_if("len(lines[2]) == len('Session: 123456')")),
    Patient(doctor.LF_BLANK, plays_if(r"data.endswith('\n\n')")),
    Patient(doctor.CR_LF, plays_if(r"data.endswith('\r\n')")),
    Patient(
        doctor.SEGMENTS,
        (
            WHILE_PLAYING,
            receives_twice(r"self.requestSent == self.PLAY or reply.count(b'\n') < 2"),
        ),
    ),
)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.cure.when)
def test_a_client_that_shows_nothing_is_told_what_helps(patient: Patient, tmp_path: Path) -> None:
    attempt = patient.attempts(tmp_path / "submission")
    (diagnosis,) = doctor.diagnoses(NOTHING_SHOWN, attempt, PYTHON)
    assert patient.cure.when in diagnosis.sentence, diagnosis


def test_a_client_without_extensions_is_told_that_frames_come_in_pieces(tmp_path: Path) -> None:
    attempt = Patient(doctor.IN_ONE, ()).attempts(tmp_path / "submission", HD)
    (diagnosis,) = doctor.diagnoses(NOTHING_SHOWN, attempt, HD)
    assert doctor.IN_ONE.when in diagnosis.sentence, diagnosis


def test_every_factor_has_its_patient() -> None:
    assert [patient.cure for patient in PATIENTS] == [doctor.ALONE, *doctor.changes(PYTHON)]


def test_a_client_that_calls_recv_twice_for_a_reply_is_graded_as_it_understands(
    tmp_path: Path,
) -> None:
    attempt = Patient(doctor.SEGMENTS, (receives_twice("True"),)).attempts(tmp_path / "submission")
    first = attempt("client.session", client_trial, {})
    assert doctor.ladder("client.session", first, attempt) == {"pieces": 2}
    assert not has_asked_to_play(first)


def test_a_server_that_understands_but_the_last_form_is_found_in_time(tmp_path: Path) -> None:
    factor = doctor.REQUESTS[-1]
    received = "data = connSocket.recv(256)\n            if data"
    deaf = (received, f"{received} and b'RTP/AVP' in data")
    attempt = Patient(factor, (deaf,), WORKER).attempts(tmp_path / "submission")
    began = time.monotonic()
    first = attempt("server.session", server_trial, {})
    assert doctor.ladder("server.session", first, attempt) == factor.facts
    assert time.monotonic() - began < doctor.LIMIT


def test_a_server_of_an_older_handout_is_graded_in_its_form(tmp_path: Path) -> None:
    (factor,) = (each for each in doctor.REQUESTS if each.facts == {"form": "older"})
    number = 'seq = request[1].split(" ")'
    bare = (number, 'seq = ["CSeq:", str(int(request[1]))]')
    attempt = Patient(factor, (bare,), WORKER).attempts(tmp_path / "submission")
    first = attempt("server.session", server_trial, {})
    assert doctor.ladder("server.session", first, attempt) == factor.facts
