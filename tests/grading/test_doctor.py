"""One thing is changed at a time, until it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from recordings import client_session

from rtplab.grading.doctor import ALONE, REPLIES, REQUESTS, Facts, changes, diagnoses, ladder
from rtplab.grading.judge.registry import BY_ID
from rtplab.grading.model.checks import Result, Verdict, failed, passed
from rtplab.grading.model.editions import EDITIONS, PYTHON, Edition
from rtplab.grading.model.recording import Event, Recording
from rtplab.grading.record.run import Scenario

Works = Callable[[Facts], bool]


class Patient:
    """A submission that works with some facts; `tried` is what it was run with."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self.tried: list[dict[str, Any]] = []

    def attempt(self, name: str, scenario: Scenario, facts: Facts) -> Recording:
        self.tried.append(dict(facts))
        return run_of(self._works(facts), facts)

    def play(self, name: str, scenario: Scenario, facts: Facts) -> Recording:
        self.tried.append(dict(facts))
        works = self._works(facts)
        return client_session(show=lambda number: number if works else None)


def run_of(works: bool, facts: Facts) -> Recording:
    """A trial in which all was right, or in which SETUP was the last that was heard."""
    answer = b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 1\nPLAY" if works else b"SETUP"
    events = [Event(0.0, "tcp.listening", {"port": 1}), tcp(answer)]
    return Recording("trial", "python", facts, tuple(events))


def tcp(data: bytes) -> Event:
    return Event(0.5, "tcp.in", {"connection": 1, "data": data})


def results(verdict: Verdict) -> dict[str, Result]:
    return {"client.shows": Result(BY_ID["client.shows"], verdict, 0.0, 8.0)}


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=lambda edition: edition.name)
def test_the_first_change_that_helps_is_named(edition: Edition) -> None:
    for factor in (ALONE, *changes(edition)):
        patient = Patient(lambda facts, factor=factor: facts == factor.facts)  # type: ignore[misc]

        (diagnosis,) = diagnoses(results(failed("nothing was shown")), patient.play, edition)

        assert factor.when in diagnosis.sentence and factor.but in diagnosis.sentence
        assert patient.tried[0] == {}, "as it was, once more"
        assert patient.tried[-1] == factor.facts
        assert all(len(facts) == 1 for facts in patient.tried[1:]), "one thing at a time"


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=lambda edition: edition.name)
def test_what_nothing_helps_is_said_after_six_changes(edition: Edition) -> None:
    patient = Patient(lambda facts: False)
    (diagnosis,) = diagnoses(results(failed("nothing was shown")), patient.play, edition)
    assert len(patient.tried) == len(diagnosis.tried) == len(changes(edition)) + 1 <= 7
    assert {"reply": edition.reply_form} not in patient.tried, "that is what it has anyway"
    assert "None" in diagnosis.sentence


def test_what_shows_but_a_few_frames_is_not_cured() -> None:
    (diagnosis,) = diagnoses(
        results(failed("nothing was shown")),
        lambda name, scenario, facts: client_session(show=lambda n: n if n % 2 else None),
        PYTHON,
    )
    assert "None" in diagnosis.sentence


def test_what_is_well_needs_no_doctor() -> None:
    patient = Patient(lambda facts: True)
    assert not diagnoses(results(passed()), patient.play, PYTHON) and not patient.tried
    assert not diagnoses({}, patient.play, PYTHON)


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
