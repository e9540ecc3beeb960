"""One thing is changed at a time, until it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rtplab.grading.doctor import PICTURES, REPLIES, REQUESTS, Facts, diagnoses, ladder
from rtplab.grading.judge.registry import BY_ID
from rtplab.grading.model.checks import Result, Verdict, failed, passed
from rtplab.grading.model.recording import Event, Recording
from rtplab.grading.record.run import Scenario
from rtplab.grading.record.trials import FRAMES, PACKETS

Works = Callable[[Facts], bool]


class Patient:
    """A submission that works with some facts; `tried` is what it was run with."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self.tried: list[dict[str, Any]] = []

    def attempt(self, name: str, scenario: Scenario, facts: Facts) -> Recording:
        self.tried.append(dict(facts))
        return run_of(self._works(facts), facts)


def run_of(works: bool, facts: Facts) -> Recording:
    """A trial in which all was right, or in which SETUP was the last that was heard."""
    answer = b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 1\nPLAY" if works else b"SETUP"
    events = [Event(0.0, "tcp.listening", {"port": 1}), tcp(answer)]
    if works:
        events += [Event(1.0, "picture", {"frame": n}) for n in range(1, FRAMES + 1)]
        events += [Event(1.0, "udp.in", {"data": b""})] * PACKETS
    return Recording("trial", "python", facts, tuple(events))


def tcp(data: bytes) -> Event:
    return Event(0.5, "tcp.in", {"connection": 1, "data": data})


def results(verdict: Verdict) -> dict[str, Result]:
    return {"client.shows": Result(BY_ID["client.shows"], verdict, 0.0, 8.0)}


@pytest.mark.parametrize("factor", PICTURES, ids=lambda factor: factor.when)
def test_the_first_change_that_helps_is_named(factor: Any) -> None:
    patient = Patient(lambda facts: facts == factor.facts)

    (diagnosis,) = diagnoses(results(failed("nothing was shown")), patient.attempt)

    assert factor.when in diagnosis.sentence and factor.but in diagnosis.sentence
    assert patient.tried[-1] == factor.facts
    assert all(len(facts) == 1 for facts in patient.tried), "one thing at a time"


def test_what_nothing_helps_is_said_after_six_runs() -> None:
    patient = Patient(lambda facts: False)
    (diagnosis,) = diagnoses(results(failed("nothing was shown")), patient.attempt)
    assert len(patient.tried) == len(diagnosis.tried) == len(PICTURES) <= 6
    assert "None" in diagnosis.sentence


def test_what_is_well_needs_no_doctor() -> None:
    patient = Patient(lambda facts: True)
    assert not diagnoses(results(passed()), patient.attempt) and not patient.tried
    assert not diagnoses({}, patient.attempt)


@pytest.mark.parametrize(
    ("scenario", "factors"), [("server.session", REQUESTS), ("client.session", REPLIES)]
)
def test_the_form_that_is_understood_is_found(scenario: str, factors: Any) -> None:
    for factor in factors:
        patient = Patient(lambda facts, factor=factor: facts == factor.facts)  # type: ignore[misc]
        assert ladder(scenario, run_of(False, {}), patient.attempt) == factor.facts
        assert patient.tried[0] == {}, "the edition's own form once more"


@pytest.mark.parametrize("scenario", ["server.session", "client.session"])
def test_who_was_too_busy_to_understand_is_asked_in_the_same_form_once_more(scenario: str) -> None:
    patient = Patient(lambda facts: True)
    assert ladder(scenario, run_of(False, {}), patient.attempt) == {}
    assert patient.tried == [{}]


@pytest.mark.parametrize("scenario", ["server.session", "client.session"])
def test_who_understands_nothing_is_not_run_again(scenario: str) -> None:
    patient = Patient(lambda facts: False)
    assert ladder(scenario, run_of(False, {}), patient.attempt) is None


@pytest.mark.parametrize("scenario", ["server.session", "client.session", "both", "robust.end"])
def test_who_understands_the_edition_s_form_is_asked_in_no_other(scenario: str) -> None:
    patient = Patient(lambda facts: True)
    first = Recording(scenario, "python", {}, (*run_of(True, {}).events, tcp(b"SETUP PLAY")))
    assert ladder(scenario, first, patient.attempt) is None and not patient.tried


def test_who_says_nothing_at_all_is_asked_in_no_other_form() -> None:
    patient = Patient(lambda facts: True)
    for scenario in ("server.session", "client.session"):
        assert ladder(scenario, Recording(scenario, "python"), patient.attempt) is None
    assert not patient.tried
