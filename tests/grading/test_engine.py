"""Which checks are judged, what blocks what, and what is tried once more."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import recordings as by_hand

from rtplab.grading.engine import SUFFIX, Engine, Kept, Source, with_needed
from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.model.checks import Check, Outcome, Verdict, failed, passed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Event, Recording, Recordings, write

EDITION = Edition("test")


class Runs(Source):
    """Counts the runs of each scenario; the number of the run is the event's time."""

    def __init__(self, faults: int = 0) -> None:
        self.made: list[str] = []
        self._faults = faults

    def record(self, scenario: str) -> Recording:
        self.made.append(scenario)
        number = self.made.count(scenario)
        kind = "fault" if number <= self._faults else "run"
        return Recording(scenario, "test", {}, (Event(number, kind, {"text": "broken"}),))


def says(verdict: Verdict) -> Callable[[Recordings, Edition], Verdict]:
    return lambda recordings, edition: verdict


def right_in_run(number: int) -> Callable[[Recordings, Edition], Verdict]:
    def judge(recordings: Recordings, edition: Edition) -> Verdict:
        return passed() if recordings["s"].events[0].time >= number else failed("late")

    return judge


def dies(recordings: Recordings, edition: Edition) -> Verdict:
    raise KeyError("mistake of ours")


def check(
    name: str,
    judge: Callable[[Recordings, Edition], Verdict],
    *needs: str,
    timing: bool = False,
    scenario: str = "s",
) -> Check:
    return Check(name, name, needs, 4, judge, (scenario,), timing)


def run(*checks: Check, source: Source | None = None, **more: object) -> dict[str, Verdict]:
    engine = Engine(source or Runs(), EDITION, checks, **more)  # type: ignore[arg-type]
    return {result.check.id: result.verdict for result in engine.run()}


def test_only_the_first_cause_is_red() -> None:
    verdicts = run(
        check("a", says(failed("wrong"))),
        check("b", says(passed()), "a"),
        check("c", says(passed()), "b"),
        check("d", says(passed())),
    )
    assert [v.outcome for v in verdicts.values()] == [
        Outcome.FAILED,
        Outcome.BLOCKED,
        Outcome.BLOCKED,
        Outcome.PASSED,
    ]
    assert verdicts["c"].blocked_by == "a"


def test_a_scenario_runs_once_for_all_checks_and_not_for_blocked_ones() -> None:
    source = Runs()
    run(
        check("a", says(failed("wrong"))),
        check("b", says(passed())),
        check("c", says(passed()), "a", scenario="other"),
        source=source,
    )
    assert source.made == ["s"]


class SideBySide(Runs):
    """Notes what may be recorded side by side, and what had been recorded by then."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[list[str], list[str]]] = []

    def begin(self, scenarios: Sequence[str]) -> None:
        self.begun.append((list(scenarios), list(self.made)))


def test_the_scenarios_of_advice_begin_together_but_for_those_that_are_not_needed() -> None:
    source = SideBySide()
    run(
        check("packet.a", says(failed("wrong"))),
        check("robust.b", says(passed()), scenario="one"),
        check("robust.c", says(passed()), "packet.a", scenario="blocked"),
        check("robust.d", says(passed())),
        check("robust.e", says(passed()), scenario="two"),
        source=source,
    )
    assert source.begun == [(["one", "two"], ["s"])]


def test_a_late_run_looks_for_no_more_advice_and_tries_nothing_twice() -> None:
    source = Runs()
    verdicts = run(
        check("server.a", right_in_run(2), timing=True),
        check("robust.b", right_in_run(2), timing=True),
        check("robust.c", says(passed()), scenario="more"),
        check("client.d", says(passed()), scenario="points"),
        source=source,
        is_late=lambda: True,
    )
    assert source.made == ["s", "points"]
    assert [verdict.outcome for verdict in verdicts.values()] == [
        Outcome.FAILED,
        Outcome.NOT_CHECKED,
        Outcome.NOT_CHECKED,
        Outcome.PASSED,
    ]
    assert "too long" in verdicts["robust.c"].sentence


def test_what_is_blocked_by_something_that_was_right_has_one_more_run() -> None:
    blocked_at_first = Verdict(Outcome.BLOCKED, blocked_by="a")

    def judge(recordings: Recordings, edition: Edition) -> Verdict:
        return passed() if recordings["s"].events[0].time >= 2 else blocked_at_first

    source = Runs()
    verdicts = run(
        check("a", says(passed()), scenario="first"),
        check("b", judge, "a", timing=True),
        source=source,
    )
    assert verdicts["b"].outcome is Outcome.PASSED
    assert source.made == ["first", "s", "s"]


def test_a_failed_timing_check_has_one_more_run_and_no_third() -> None:
    source = Runs()
    verdicts = run(
        check("a", right_in_run(2), timing=True),
        check("b", right_in_run(3), timing=True),
        check("c", right_in_run(2)),
        source=source,
    )
    assert source.made == ["s", "s"]
    assert verdicts["a"].outcome is Outcome.PASSED
    assert verdicts["b"].outcome is Outcome.FAILED
    assert verdicts["c"].outcome is Outcome.PASSED, "the run that was adopted is judged"


class Busy(Runs):
    """The machine is too busy in the runs of these numbers."""

    def __init__(self, *numbers: int, **facts: float) -> None:
        super().__init__()
        self._numbers = numbers
        self._facts = facts or {"noise": 0.03}

    def record(self, scenario: str) -> Recording:
        recording = super().record(scenario)
        busy = self.made.count(scenario) in self._numbers
        return replace(recording, facts=self._facts if busy else {"noise": 0.001})


@pytest.mark.parametrize("timing", [True, False])
def test_what_a_busy_machine_does_is_tried_again_until_it_can_be_judged(timing: bool) -> None:
    right, wrong = Busy(1, 2), Busy(1, 2)
    assert run(check("server.a", right_in_run(3), timing=timing), source=right)["server.a"] == (
        passed()
    )
    verdict = run(check("server.a", says(failed("wrong")), timing=timing), source=wrong)["server.a"]
    assert verdict.outcome is Outcome.FAILED
    assert right.made == ["s"] * 3 and wrong.made == ["s"] * 4


@pytest.mark.parametrize("facts", [{"noise": 0.03}, {"noise_worst": 1.5}, {"dropped": 3}])
def test_a_machine_that_stays_too_busy_is_nobody_s_mistake(facts: dict[str, float]) -> None:
    source = Busy(*range(1, 10), **facts)
    engine = Engine(
        source,
        EDITION,
        [
            check("server.a", says(failed("wrong")), timing=True),
            check("server.b", says(passed()), "server.a"),
            check("server.c", says(passed())),
        ],
    )
    first, second, third = engine.run()
    assert first.verdict.outcome is Outcome.NOT_CHECKED and first.verdict.busy
    assert "too busy" in first.verdict.sentence and first.points == 0
    assert second.verdict.blocked_by == "server.a", "what needs it can't be judged either"
    assert third.verdict.outcome is Outcome.PASSED, "what was seen was seen"
    assert source.made == ["s"] * 4


def test_a_program_that_keeps_the_machine_busy_itself_has_no_excuse() -> None:
    class Spins(Busy):
        def record(self, scenario: str) -> Recording:
            sample = {"role": "client", "cpu": 9.0}
            made = super().record(scenario)
            began = Event(0.5, "process.start", {"role": "client"})
            return replace(made, events=(*made.events, began, Event(10.5, "sample", sample)))

    verdict = run(check("client.a", says(failed("slow")), timing=True), source=Spins(1, 2))
    assert verdict["client.a"].outcome is Outcome.FAILED


def test_advice_makes_its_own_allowance_for_a_busy_machine() -> None:
    """One that spins is always ready to run, so it waits whenever anybody else does anything."""
    source = Busy(*range(1, 10))
    verdict = run(check("robust.a", says(failed("It spins.")), timing=True), source=source)
    assert verdict["robust.a"].outcome is Outcome.FAILED and source.made == ["s", "s"]


def test_a_call_is_judged_on_any_machine() -> None:
    verdict = run(check("packet.a", says(failed("wrong"))), source=Busy(1))["packet.a"]
    assert verdict.outcome is Outcome.FAILED


@pytest.mark.parametrize("group", ["packet", "server", "client"])
@pytest.mark.parametrize(("waited", "runs"), [(0.5, 1), (7.0, 3)])
def test_a_program_that_could_not_start_in_time_is_started_again(
    group: str, waited: float, runs: int
) -> None:
    """It was ready to run for most of ten seconds, and others did."""

    class Slow(Runs):
        def record(self, scenario: str) -> Recording:
            sample = {"role": group, "cpu": 0.5, "waited": waited}
            made = super().record(scenario)
            began = Event(0.0, "process.start", {"role": group})
            late = (began, Event(10.0, "sample", sample)) if len(self.made) < 3 else ()
            return replace(made, events=(*made.events, *late))

    source = Slow()
    verdict = run(check(f"{group}.starts", right_in_run(3)), source=source)[f"{group}.starts"]
    assert verdict.outcome is (Outcome.PASSED if runs == 3 else Outcome.FAILED)
    assert source.made == ["s"] * runs


def test_what_fails_in_a_check_without_timing_is_not_run_again() -> None:
    source = Runs()
    verdicts = run(check("a", right_in_run(2)), source=source)
    assert verdicts["a"].outcome is Outcome.FAILED and source.made == ["s"]


def test_a_fault_of_ours_is_run_again_and_never_the_submission_s() -> None:
    assert run(check("a", right_in_run(2)), source=Runs(1))["a"].outcome is Outcome.PASSED
    assert run(check("a", says(passed())), source=Runs(2))["a"].outcome is Outcome.FAULT
    assert run(check("a", dies))["a"].outcome is Outcome.FAULT


def test_what_is_missing_is_not_checked_and_says_why() -> None:
    source = Runs()
    verdict = run(
        check("a", says(passed())), source=source, missing=lambda check: "There is no Server.py."
    )["a"]
    assert verdict.outcome is Outcome.NOT_CHECKED and "Server.py" in verdict.sentence
    assert not source.made


def test_points_are_the_edition_s() -> None:
    edition = Edition("test", points={"a": 10})
    engine = Engine(Runs(), edition, [check("a", says(passed("partly", 0.25)))])
    (result,) = engine.run()
    assert (result.points, result.maximum) == (2.5, 10)


def test_what_was_kept_is_judged_again_without_running(tmp_path: Path) -> None:
    checks = [check("a", right_in_run(1)), check("b", says(passed()), scenario="none")]
    engine = Engine(Runs(), EDITION, checks[:1], tmp_path)
    engine.run()

    verdicts = run(*checks, source=Kept(tmp_path))

    assert verdicts["a"].outcome is Outcome.PASSED
    assert verdicts["b"].outcome is Outcome.NOT_CHECKED


def test_a_kept_file_that_is_broken_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"scenario": 1}\n')
    verdict = run(check("a", says(passed())), source=Kept(tmp_path))["a"]
    assert verdict.outcome is Outcome.NOT_CHECKED and "s.jsonl" in verdict.sentence


def test_needed_checks_come_along() -> None:
    checks = [check("a", says(passed())), check("b", says(passed()), "a"), check("c", dies)]
    assert with_needed(["b"], checks) == {"a", "b"}


def test_a_stand_in_for_the_screen_is_said_of_kept_recordings_too(tmp_path: Path) -> None:
    for display, said in (("xvfb", False), ("stub", True)):
        recording = Recording("client.session", "python", {"display": display})
        write(recording, tmp_path / f"client.session{SUFFIX}")
        assert any("tkinter" in note for note in Kept(tmp_path).notes) == said


def test_a_failed_packet_check_has_its_calls_as_a_transcript_and_a_capture(tmp_path: Path) -> None:
    swapped = by_hand.packet(
        lambda inputs, payload: (
            by_hand.header_of(
                **{**inputs, "seqnum": inputs["seqnum"] >> 8 | (inputs["seqnum"] & 0xFF) << 8}
            )
            + payload
        )
    )

    class Packet(Source):
        def record(self, scenario: str) -> Recording:
            return swapped

    checks = [one for one in CHECKS if one.group == "packet"]
    results = Engine(Packet(), EDITION, checks, kept=tmp_path).run()
    (wrong,) = [one for one in results if one.verdict.outcome is Outcome.FAILED]
    assert wrong.check.id == "packet.sequence"
    assert any("encode" in line and "80 1a" in line for line in wrong.verdict.transcript)
    made = [event for event in swapped.of("packet.encode")]
    capture = (tmp_path / "packet.sequence.pcapng").read_bytes()
    assert all(event["packet"] in capture for event in made)
    if tshark := shutil.which("tshark"):
        command = [
            tshark,
            "-r",
            str(tmp_path / "packet.sequence.pcapng"),
            "-d",
            "udp.port==5004,rtp",
        ]
        command += ["-Y", "rtp.version == 2"]  # of another one some tshark reads no more
        read = subprocess.run(command, capture_output=True, text=True, timeout=60)
        expected = sum(event["packet"][0] >> 6 == 2 for event in made)
        assert len(read.stdout.splitlines()) == expected > 5


def test_a_failure_without_a_transcript_of_its_own_has_all_that_happened() -> None:
    class Silent(Source):
        def record(self, scenario: str) -> Recording:
            started = {"role": "server", "argv": ["/usr/bin/python3", "Server.py", "5000"]}
            return Recording(scenario, "", {}, (Event(0.1, "process.start", started),))

    verdict = run(check("a", says(failed("No."))), source=Silent())["a"]
    assert any("python3 Server.py 5000" in line for line in verdict.transcript)
