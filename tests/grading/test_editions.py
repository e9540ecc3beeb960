"""Editions: their points, and a teacher's own file with what may be wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grading import grade

from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.model.editions import HD, JAVA, PYTHON, Edition, parse_edition, read_edition


@pytest.mark.parametrize(("edition", "sum_of_points"), [(PYTHON, 100), (JAVA, 100), (HD, 95)])
def test_the_points_add_up(edition: Edition, sum_of_points: int) -> None:
    """HD's other five are for the report, which a person reads."""
    points = [edition.points.get(check.id, check.points) for check in CHECKS]
    assert sum(points) == pytest.approx(sum_of_points)
    assert set(edition.points) <= {check.id for check in CHECKS}


def test_a_file_says_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    given = {"based_on": "java", "interval": 0.2, "points": {"client.shows": 20}}
    path.write_text(json.dumps(given))
    edition = read_edition(path)
    assert (edition.name, edition.interval, edition.language) == ("ours", 0.2, "java")
    assert edition.points["client.shows"] == 20 and edition.points["extend.late"] == 5


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ([], "object"),
        ({"based_on": "ruby"}, "based_on"),
        ({"intervall": 1}, "intervall"),
        ({"interval": 0}, "interval"),
        ({"interval": True}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"receive_timeout": 60}, "receive_timeout"),
        ({"request_form": "rtp-avp"}, "request_form"),
        ({"fragments": 1}, "fragments"),
        ({"points": [1]}, "points"),
        ({"points": {"client.shows": -1}}, "client.shows"),
        ({"points": {"client.shows": "many"}}, "client.shows"),
        ({"advice": {"client.shows": 1}}, "advice"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_wrong_is_named(given: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_edition(given, "ours")


def test_no_json_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_bytes(b"\xff[" * 9000)
    with pytest.raises(ValueError, match="JSON"):
        read_edition(path)


def test_a_check_that_there_is_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text('{"points": {"client.show": 9}}')
    status, _, errors = grade(tmp_path, "--edition", str(path), report=tmp_path / "r.json")
    assert status == 2 and "client.show" in errors and "Traceback" not in errors
