"""What the reports look like, and that nothing a submission says can look like a report."""

from __future__ import annotations

import csv as csv_reader
import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import jsonschema
import pytest
from junitparser import JUnitXml
from recordings import core, header_of, packet, server_session, verdicts
from wording import lacks

from rtplab.grading.judge.registry import BY_ID
from rtplab.grading.model.checks import (
    Diagnosis,
    Evidence,
    Grades,
    Outcome,
    Result,
    Verdict,
    failed,
)
from rtplab.grading.model.editions import PYTHON
from rtplab.grading.report import WRITERS, csv, text, words
from rtplab.grading.report.terminal import Live, has_marks

HOSTILE = (
    "\x1b[31mred\x1b[0m\nGrade :=>> 100\n--|>\r\nComment :=>> fine <b onload='x()'>&amp;</b> ```"
    " | [a](http://x) @all ]]> \x00\x07 ✔ packet.version \u202e =1+1 %0a <|--"
)


def graded() -> Grades:
    """Two mistakes, what they block, and advice."""
    broken = packet(lambda inputs, payload: bytes_without_high_number(inputs, payload))
    found = verdicts(core(packet=broken, server_session=server_session(interval=0.1)))
    results = []
    for name, verdict in found.items():
        check = BY_ID[name]
        results.append(Result(check, verdict, check.points * verdict.share, check.points))
    return Grades(
        "smith.zip",
        ("Client.py", "RtpPacket.py"),
        PYTHON,
        0x7F3A91,
        "1.2",
        tuple(results),
        shields=("limits", "own network"),
        diagnoses=(Diagnosis("server.pace", "It keeps time when nobody plays."),),
        seconds=12.3,
        command="python -m rtplab grade .",
    )


def bytes_without_high_number(inputs: dict[str, int], payload: bytes) -> bytes:
    header = bytearray(header_of(**inputs))
    header[2] = 0
    return bytes(header) + payload


def hostile() -> Grades:
    """Every text that a submission can have its say in."""
    grades = graded()
    verdict = failed(
        HOSTILE, HOSTILE, (HOSTILE,), (Evidence(HOSTILE.encode(), ((0, 4),), HOSTILE),)
    )
    first, *others = grades.results
    return replace(
        grades,
        submission=HOSTILE,
        files=(HOSTILE,),
        notes=(HOSTILE,),
        diagnoses=(Diagnosis(first.check.id, HOSTILE, (HOSTILE,)),),
        results=(Result(first.check, verdict, 0, 4, (HOSTILE,)), *others),
        command=HOSTILE,
    )


def test_the_text_says_the_mistake_the_bytes_and_the_next_step() -> None:
    lines = text.write(graded()).splitlines()
    assert any(line.startswith("✘ packet.sequence") and "Frame 256" in line for line in lines)
    assert any("80 1a [00] 00" in line for line in lines)
    assert any(line.startswith("packet    ") and line.endswith("25/30") for line in lines)
    assert any("The doctor: It keeps time" in line for line in lines)
    told = " ".join(lines)
    next_step = told.partition("Next: ")[2]
    assert next_step.startswith("packet.sequence (5 points)")
    assert "python -m rtplab grade . --only" in next_step
    assert not lacks(told, "not graded", "written report")
    assert max(map(len, lines)) <= text.WIDTH


def test_it_is_not_right_if_nothing_could_be_judged() -> None:
    """As of a submission in Python 2."""
    grades = graded()
    unknown = tuple(
        replace(one, verdict=Verdict(Outcome.NOT_CHECKED, 0, "It is Python 2."), points=0.0)
        for one in grades.results
    )
    assert "Nothing" in words.next_step(replace(grades, results=unknown))


def test_advice_alone_is_no_reason_to_say_that_nothing_was_judged() -> None:
    grades = graded()
    advice = [one for one in grades.results if one.check.group == "robust"]
    wrong = replace(advice[0], verdict=Verdict(Outcome.FAILED, 0, "No reply."))
    assert words.next_step(replace(grades, results=(wrong,))) == "Nothing is missing."


@pytest.mark.parametrize("outcome", [Outcome.NOT_CHECKED, Outcome.FAULT])
def test_points_that_are_open_through_no_fault_of_the_submission_are_named(
    outcome: Outcome,
) -> None:
    """And those of what needs such a check."""
    grades = graded()
    assert not words.undecided(grades)
    ours = Verdict(outcome, 0, "It was too busy.", busy=outcome is Outcome.NOT_CHECKED)
    because = Verdict(Outcome.BLOCKED, blocked_by="client.shows")
    verdicts = {"client.shows": ours, "client.pause": because}
    results = tuple(
        replace(one, verdict=verdicts.get(one.check.id, one.verdict), points=0.0)
        for one in grades.results
    )
    grades = replace(grades, results=results)
    for form in set(WRITERS) - {"csv", "classroom50", "json", "junit"}:
        told = " ".join(WRITERS[form](grades).split()).replace("\\", "")
        assert "12 points could not be judged" in told, form
    (row,) = csv_reader.DictReader(io.StringIO(csv.write(grades)))
    assert row["complete"] == "no"
    result = json.loads(WRITERS["prairielearn"](grades))
    assert not result["gradable"] and "12 points" in result["format_errors"][0]


def test_reasons_name_the_checks_that_stand_together() -> None:
    grades = graded()
    missing = {"packet": "No packet.", "server": "No server.", "client": "No packet."}
    results = tuple(
        replace(
            one, verdict=Verdict(Outcome.NOT_CHECKED, 0, missing.get(one.check.group, "No both."))
        )
        for one in grades.results
    )
    told = text.write(replace(grades, results=results))
    assert "? packet.loads to packet.decode, client.starts to client.teardown   Not checked" in told
    assert "? server.starts to server.teardown   Not checked: No server." in told


@pytest.mark.parametrize("form", WRITERS)
def test_every_report_names_the_check_first_and_has_its_sentence(form: str) -> None:
    report = WRITERS[form](graded())
    assert "packet.sequence" in report
    if form not in ("classroom50", "csv"):
        assert "as number 0" in report.replace("\\", "")


def test_only_the_first_cause_is_red() -> None:
    grades = graded()
    assert [r.check.id for r in words.failed(grades)] == ["packet.sequence", "server.pace"]
    blocked = [r for r in grades.results if r.verdict.outcome is Outcome.BLOCKED]
    assert "server.numbers" in [r.check.id for r in blocked]
    shown = text.write(grades)
    assert "─ numbers" in shown and "✘ numbers" not in shown


def test_a_terminal_without_unicode_gets_ascii() -> None:
    ascii_style = text.Style(unicode=False)
    assert text.write(graded(), ascii_style).isascii()
    assert text.write(hostile(), ascii_style).isascii()
    assert has_marks(io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert not has_marks(io.TextIOWrapper(io.BytesIO(), "latin-1"))


def test_colours_are_a_terminal_s_alone() -> None:
    assert "\x1b[31m✘" in text.write(graded(), text.Style(color=True))
    for color in (True, False):
        plain = text.write(graded(), text.Style(color=color))
        lines = [line for line in plain.splitlines() if line.startswith("packet ")]
        assert text.PAINT.sub("", lines[0]).endswith("25/30")
        assert len(text.PAINT.sub("", lines[0])) == text.WIDTH


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "colours"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_the_live_table_ends_in_the_report(
    stream: io.StringIO, environment: dict[str, str], colours: bool
) -> None:
    grades = graded()
    live = Live.on(stream, environment)
    live.started(grades)
    for result in grades.results:
        live.result(result)
    live.finished(grades)
    written = stream.getvalue()
    assert ("\x1b[31m" in written) is colours
    assert written.count("Next: packet.sequence") == 1
    if not stream.isatty():
        assert "\x1b" not in written
        assert "+ packet.version" in written or "✔ packet.version" in written


# --- Hostile text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", WRITERS)
def test_no_control_character_reaches_a_report(form: str) -> None:
    report = WRITERS[form](hostile())
    assert not {c for c in report if not c.isprintable() and c != "\n"}
    if form == "json":
        texts = json.dumps(json.loads(report), ensure_ascii=True)
        assert "\x1b" not in texts


def test_vpl_has_one_grade_and_one_block() -> None:
    lines = WRITERS["vpl"](hostile()).splitlines()
    whole = "\n".join(lines)
    assert whole.count("Grade :=>>") == 1 and lines[-1].startswith("Grade :=>> ")
    assert float(lines[-1].split()[-1]) == pytest.approx(
        100 * hostile().points / hostile().maximum, abs=0.01
    )
    assert whole.count("<|--") == 1 and whole.count("--|>") == 1
    assert whole.count("Comment :=>>") == 1


def test_markdown_has_no_html_link_or_mention_of_theirs() -> None:
    report = WRITERS["markdown"](hostile())
    prose = [line for line in report.splitlines() if not line.startswith("    ")]
    for line in prose:
        bare = line.replace("\\\\", "")
        for special in ("<", "](", "@", "http:"):
            at = bare.find(special)
            assert at < 0 or bare[at - 1] == "\\" or bare[at + len(special) - 2] == "\\", line


def test_junit_can_be_read_and_counts_right() -> None:
    for grades in (graded(), hostile()):
        report = WRITERS["junit"](grades)
        ElementTree.fromstring(report)
        parsed = JUnitXml.fromstring(report.encode())
        outcomes = [r.verdict.outcome for r in grades.results]
        assert parsed.tests == len(outcomes)
        (suite,) = list(parsed)
        kinds = [type(one).__name__ for case in suite for one in case.result]
        assert kinds.count("Failure") == outcomes.count(Outcome.FAILED) == suite.failures
        assert kinds.count("Skipped") == outcomes.count(Outcome.BLOCKED) == suite.skipped
        assert {case.classname.split(".")[0] for case in suite} == {"rtplab"}


def test_a_spreadsheet_finds_no_formula() -> None:
    grades = replace(graded(), submission="=HYPERLINK(1)")
    rows = list(csv_reader.reader(io.StringIO(csv.write_all([grades, graded()]))))
    assert [len(row) for row in rows] == [len(rows[0])] * 3
    assert rows[1][0] == "'=HYPERLINK(1)" and rows[2][0] == "smith.zip"
    assert rows[1][rows[0].index("packet.sequence")] == "0"
    assert rows[1][rows[0].index("packet.version")] == "4"


# --- Schemas --------------------------------------------------------------------------------------

NUMBER, STRING = {"type": "number", "minimum": 0}, {"type": "string"}
FORMATS = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
VISIBILITY = {"enum": ["visible", "hidden", "after_due_date", "after_published"]}
GRADESCOPE = {
    "type": "object",
    "required": ["tests"],
    "additionalProperties": False,
    "properties": {
        "score": NUMBER,
        "execution_time": {"type": "integer", "minimum": 0},
        "output": STRING,
        "output_format": FORMATS,
        "test_output_format": FORMATS,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "score", "max_score"],
                "properties": {
                    "score": NUMBER,
                    "max_score": NUMBER,
                    "status": {"enum": ["passed", "failed"]},
                    "name": STRING,
                    "number": STRING,
                    "output": STRING,
                    "output_format": FORMATS,
                    "tags": {"type": "array", "items": STRING},
                    "visibility": VISIBILITY,
                },
            },
        },
    },
}
PRAIRIELEARN = {
    "type": "object",
    "required": ["gradable"],
    "additionalProperties": False,
    "properties": {
        "gradable": {"type": "boolean"},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "message": STRING,
        "output": STRING,
        "format_errors": {"type": "array", "items": STRING},
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["url"],
                "properties": {"label": STRING, "url": {"type": "string", "pattern": "^data:"}},
            },
        },
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "points", "max_points"],
                "properties": {
                    "name": STRING,
                    "description": STRING,
                    "points": NUMBER,
                    "max_points": NUMBER,
                    "message": STRING,
                    "output": STRING,
                },
            },
        },
    },
}
WHOLE = {"type": "integer", "minimum": 0}
CLASSROOM50 = {
    "type": "object",
    "required": [
        *("schema", "classroom", "assignment", "submission", "commit", "release", "review"),
        *("datetime", "score", "max-score", "tests"),
    ],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": "classroom50/result/v1"},
        **dict.fromkeys(
            ("classroom", "assignment", "submission", "commit", "release", "review", "datetime"),
            STRING,
        ),
        "score": WHOLE,
        "max-score": WHOLE,
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["test-name", "passed", "score", "max-score"],
                "properties": {
                    "test-name": STRING,
                    "passed": {"type": "boolean"},
                    "score": WHOLE,
                    "max-score": WHOLE,
                },
            },
        },
    },
}


@pytest.mark.parametrize(
    ("form", "schema"),
    [("gradescope", GRADESCOPE), ("prairielearn", PRAIRIELEARN), ("classroom50", CLASSROOM50)],
)
def test_platforms_find_what_they_ask_for(form: str, schema: dict[str, object]) -> None:
    refused = replace(graded(), results=(), refused="There is no RtpPacket.py.")
    for grades in (graded(), hostile(), replace(graded(), complete=False), refused):
        jsonschema.validate(json.loads(WRITERS[form](grades)), schema)


def test_what_can_t_be_graded_costs_no_attempt() -> None:
    refused = replace(graded(), results=(), refused="It is written in Python 2.")
    result = json.loads(WRITERS["prairielearn"](refused))
    assert result["gradable"] is False and "Python 2" in result["format_errors"][0]
    for form, writer in WRITERS.items():
        if form != "csv":
            assert "Python 2" in writer(refused) or form == "classroom50", form
    assert "Grade :=>>" not in WRITERS["vpl"](refused)


def test_a_picture_is_left_out_where_it_would_be_too_much() -> None:
    small = replace(graded(), extra={"image client.shows": "data:image/png;base64,AAAA"})
    assert len(json.loads(WRITERS["prairielearn"](small))["images"]) == 1
    large = replace(graded(), extra={"image client.shows": "data:" + "A" * (1 << 20)})
    report = WRITERS["prairielearn"](large)
    assert json.loads(report)["images"] == [] and len(report) < 1 << 20
