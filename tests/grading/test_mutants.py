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
from grading import Graded
from recordings import failures, verdicts
from wording import lacks

from rtplab.grading.judge import robust
from rtplab.grading.model.checks import Outcome
from rtplab.grading.model.editions import HD, PYTHON
from rtplab.grading.model.recording import Recording, from_lines, to_lines

pytestmark = [
    pytest.mark.peers,
    pytest.mark.long,
    pytest.mark.skipif(not runs.has_screen(), reason="needs Xvfb, on Linux"),
]


Recordings = dict[str, Recording]


CHANGED_BY_HD = ("server.session", "client.session", "both")
"""Scenarios in which the extensions play a part; the others are those of the textbook."""
EXTENSIONS = ("extend.fragment", "extend.reassemble", "extend.cache")


@pytest.fixture(scope="session")
def textbook(graded_textbook: Graded) -> Recordings:
    return graded_textbook.recordings()


@pytest.fixture(scope="session")
def textbook_hd(
    textbook: Recordings, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Recordings:
    file = shared_folder / "textbook-hd.json"
    with runs.locked(file.with_suffix(".lock")):
        if not file.exists():
            folder = mutants.copy_textbook(tmp_path_factory.mktemp("hd") / "submission", hd=True)
            made = runs.recorded(folder, [*CHANGED_BY_HD, *EXTENSIONS], HD)
            file.write_text(json.dumps([list(to_lines(one)) for one in made.values()]))
    loaded = [from_lines(lines) for lines in json.loads(file.read_text())]
    return {**textbook, **{recording.scenario: recording for recording in loaded}}


def test_the_textbook_with_all_extensions_has_all_points(textbook_hd: Recordings) -> None:
    found = verdicts(textbook_hd, HD)
    wrong = {
        name: verdict.sentence
        for name, verdict in found.items()
        if verdict.outcome is not Outcome.PASSED and not name.startswith("robust.")
    }
    assert wrong == {}


def sample() -> list[mutants.Mutant]:
    """All whose mistake shows in packets, one that shows for half a frame, a third of the others.

    These take as long as a whole session of a client; `make grade-soak` has all of them.
    """
    others = [one for one in mutants.MUTANTS if one.scenarios != ("packet",)]
    chosen = [one for one in others if one in others[::3] or one.check == "extend.late"]
    return [one for one in mutants.MUTANTS if one not in others or one in chosen]


@pytest.mark.parametrize("mutant", sample(), ids=lambda mutant: mutant.name)
def test_a_mistake_fails_its_check(
    mutant: mutants.Mutant, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    edition = HD if mutant.hd else PYTHON
    before = request.getfixturevalue("textbook_hd" if mutant.hd else "textbook")
    folder = mutants.make(mutant, tmp_path / "submission")
    found = verdicts({**before, **runs.recorded(folder, mutant.scenarios, edition)}, edition)
    excused = mutants.GIVEN - {mutant.check}
    told = {name: found[name].sentence for name in failures(found) if name not in excused}
    assert list(told) == [mutant.check], told
    unknown = {
        name: verdict.sentence
        for name, verdict in found.items()
        if verdict.outcome is Outcome.NOT_CHECKED and name not in excused
    }
    assert unknown == {}, "all others pass or are blocked"
    said = f"{found[mutant.check].sentence} {found[mutant.check].advice}"
    assert not lacks(said, *mutant.words), said


@pytest.mark.parametrize("check", sorted(mutants.GIVEN - mutants.BY_CHANCE))
def test_what_the_given_code_does_wrong_is_told(
    check: str, textbook: Recordings, tmp_path: Path
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
    check: str, textbook: Recordings, tmp_path: Path
) -> None:
    folder = mutants.copy_textbook(tmp_path / "submission")
    found = verdicts({**textbook, **runs.recorded(folder, [check])})
    assert found[check].outcome is Outcome.PASSED, found[check].sentence


def test_one_table_has_what_the_given_code_does_wrong() -> None:
    assert mutants.GIVEN == set(robust.GIVEN)
