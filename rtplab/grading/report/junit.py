"""JUnit's XML, which every CI system reads: a testcase per check.

Blocked and unchecked ones are skipped; a fault of the grader is an error and not a failure.
"""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from rtplab.grading.model.checks import Grades, Outcome, Result
from rtplab.grading.report import words

SKIPPED = (Outcome.BLOCKED, Outcome.NOT_CHECKED)


def write(grades: Grades) -> str:
    suites = Tree.Element("testsuites")
    suite = Tree.SubElement(
        suites,
        "testsuite",
        name=words.clean(f"rtplab grade {grades.submission}", 80),
        tests=str(len(grades.results)),
        failures=str(_count(grades, Outcome.FAILED)),
        errors=str(_count(grades, Outcome.FAULT)),
        skipped=str(_count(grades, *SKIPPED)),
        time=f"{grades.seconds:.2f}",
    )
    properties = Tree.SubElement(suite, "properties")
    for name, value in (
        ("score", words.number(grades.points)),
        ("max_score", words.number(grades.maximum)),
        ("edition", words.clean(grades.edition.name, 40)),
        ("seed", f"{grades.seed:06x}"),
        ("version", words.clean(grades.version, 20)),
    ):
        Tree.SubElement(properties, "property", name=name, value=value)
    for result in grades.results:
        _case(suite, result)
    notes = [words.clean(grades.refused)] if grades.refused else words.about(grades)
    Tree.SubElement(suite, "system-out").text = "\n".join(
        [*notes, *words.diagnosis_lines(grades), words.not_graded(grades)]
    )
    Tree.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Tree.tostring(suites, encoding="unicode")}\n'


def _case(suite: Tree.Element, result: Result) -> None:
    case = Tree.SubElement(
        suite, "testcase", classname=f"rtplab.{words.group_of(result)}", name=result.check.id
    )
    outcome, said = result.verdict.outcome, words.sentence(result)
    worth = f"{words.number(result.points)}/{words.number(result.maximum)} points"
    details = "\n".join([result.check.title, worth, *words.details(result)])
    if outcome is Outcome.FAILED:
        Tree.SubElement(case, "failure", message=said, type=result.check.id).text = details
    elif outcome is Outcome.FAULT:
        Tree.SubElement(case, "error", message=said, type="grader").text = details
    elif outcome in SKIPPED:
        Tree.SubElement(case, "skipped", message=said)


def _count(grades: Grades, *outcomes: Outcome) -> int:
    return sum(result.verdict.outcome in outcomes for result in grades.results)
