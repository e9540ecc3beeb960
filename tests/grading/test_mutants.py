"""The textbook and its mutants, run for real: exactly the check that a mistake is about fails.

A mutant runs the scenarios in which its mistake shows; what the others say of it is what they say
of the textbook. `make grade-soak` runs all of them whole.
"""

from __future__ import annotations

import json
from pathlib import Path

import mutants
import pytest
import runs
from recordings import failures, verdicts

from rtplab.grading.judge import robust
from rtplab.grading.model.checks import Outcome
from rtplab.grading.model.recording import Recording, from_lines, to_lines

pytestmark = [
    pytest.mark.peers,
    pytest.mark.long,
    pytest.mark.skipif(not runs.has_screen(), reason="needs Xvfb, on Linux"),
]


@pytest.fixture(scope="session")
def textbook(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Recordings of the textbook's core, made once for all that test side by side."""
    shared = tmp_path_factory.getbasetemp().parent / "textbook.json"
    with runs.locked(shared.with_suffix(".lock")):
        if not shared.exists():
            folder = mutants.copy_textbook(tmp_path_factory.mktemp("textbook") / "submission")
            made = runs.recorded(folder, runs.CORE)
            shared.write_text(json.dumps([list(to_lines(one)) for one in made.values()]))
    loaded = [from_lines(lines) for lines in json.loads(shared.read_text())]
    return {recording.scenario: recording for recording in loaded}


def test_the_textbook_has_all_points_of_the_core(textbook: dict[str, Recording]) -> None:
    found = verdicts(textbook)
    wrong = {
        name: verdict.sentence
        for name, verdict in found.items()
        if verdict.outcome is not Outcome.PASSED and not name.startswith("robust.")
    }
    assert wrong == {}


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_fails_its_check(
    mutant: mutants.Mutant, textbook: dict[str, Recording], tmp_path: Path
) -> None:
    folder = mutants.make(mutant, tmp_path / "submission")
    found = verdicts({**textbook, **runs.recorded(folder, mutant.scenarios)})
    excused = mutants.GIVEN - {mutant.check}
    told = {name: found[name].sentence for name in failures(found) if name not in excused}
    assert list(told) == [mutant.check], told
    said = f"{found[mutant.check].sentence} {found[mutant.check].advice}"
    assert [word for word in mutant.words if word not in said] == [], said


@pytest.mark.parametrize("check", sorted(mutants.GIVEN - mutants.BY_CHANCE))
def test_what_the_given_code_does_wrong_is_told(
    check: str, textbook: dict[str, Recording], tmp_path: Path
) -> None:
    folder = mutants.copy_textbook(tmp_path / "submission")
    found = verdicts({**textbook, **runs.recorded(folder, [check])})
    assert found[check].outcome is Outcome.FAILED
    assert robust.GIVEN[check] in found[check].sentence


@pytest.mark.parametrize(
    "check",
    [
        "robust.idle",
        "robust.two-clients",
        "robust.twice",
        "robust.replay",
        "robust.end",
        "robust.order",
        "robust.busy-port",
    ],
)
def test_what_the_given_code_does_right_is_passed(
    check: str, textbook: dict[str, Recording], tmp_path: Path
) -> None:
    folder = mutants.copy_textbook(tmp_path / "submission")
    found = verdicts({**textbook, **runs.recorded(folder, [check])})
    assert found[check].outcome is Outcome.PASSED, found[check].sentence


def test_one_table_has_what_the_given_code_does_wrong() -> None:
    assert mutants.GIVEN == set(robust.GIVEN)
