"""What the pages on grading say is true: checks, points, options, editions."""

from __future__ import annotations

import json
import re

from movies import ROOT

from rtplab.grading.bundle import PLATFORMS
from rtplab.grading.judge import robust
from rtplab.grading.judge.explanations import EXPLANATIONS
from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.model.editions import EDITIONS, Edition, parse_edition
from rtplab.grading.options import parser
from rtplab.grading.report import WRITERS, words

TEACHERS = (ROOT / "docs" / "GRADING.md").read_text(encoding="utf-8")
STUDENTS = (ROOT / "docs" / "GRADED.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_checks_is_the_registry_s() -> None:
    part = TEACHERS.split("## What is graded")[1].split("**The code that")[0]
    told = {name.strip("`"): (points, title) for name, points, title in rows(part)}
    known = {
        check.id: (words.number(check.points) if check.points else "", check.title)
        for check in CHECKS
        if check.group != "robust"
    }
    assert told == known


def test_what_the_given_code_fails_is_the_table_s() -> None:
    part = TEACHERS.split('"the given code does this":')[1].split("**What no grader")[0]
    told = {name.strip("`"): title for name, title in rows(part)}
    titles = {check.id: check.title for check in CHECKS}
    assert told == {name: titles[name] for name in robust.GIVEN}


def test_the_edition_in_the_text_is_one() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", TEACHERS, re.DOTALL)
    edition = parse_edition(json.loads(block), "file")
    assert edition.points["client.shows"] == 10
    told = {name for row in rows(TEACHERS.split("## Other handouts")[1]) for name in row[:1]}
    keys = {word for cell in told for word in re.findall(r"`(\w+)`", cell)}
    assert set(Edition.__dataclass_fields__) | {"based_on"} <= keys


def test_options_formats_and_platforms_are_those_there_are() -> None:
    known = parser("rtplab grade", tuple(EDITIONS), tuple(WRITERS), tuple(PLATFORMS))
    options = {option for action in known._actions for option in action.option_strings}
    for page in (TEACHERS, STUDENTS):
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page)) <= options
    assert set(re.findall(r"--bundle (\w+)", TEACHERS)) == set(PLATFORMS)
    assert set(re.findall(r"--report\s+(\w+):", TEACHERS)) <= set(WRITERS)
    assert {check.id for check in CHECKS} >= set(re.findall(r"--only (\S+)", STUDENTS))


def test_each_check_of_servers_and_clients_has_an_explanation_of_its_own() -> None:
    explained = {check.id: check.explain for check in CHECKS if check.group in GROUPS}
    assert len(set(explained.values())) == len(explained) > 20
    assert set(EXPLANATIONS) == set(explained)


GROUPS = ("server", "client", "both")
