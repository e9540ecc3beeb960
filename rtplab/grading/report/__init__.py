"""Grades as text for people and platforms. Pure: one module a format."""

from __future__ import annotations

from collections.abc import Callable

from rtplab.grading.model.checks import Grades
from rtplab.grading.report import (
    classroom50,
    csv,
    gradescope,
    json,
    junit,
    markdown,
    prairielearn,
    text,
    vpl,
)

WRITERS: dict[str, Callable[[Grades], str]] = {
    "text": text.write,
    "json": json.write,
    "gradescope": gradescope.write,
    "prairielearn": prairielearn.write,
    "classroom50": classroom50.write,
    "junit": junit.write,
    "vpl": vpl.write,
    "markdown": markdown.write,
    "csv": csv.write,
}
"""By the name that --report has for a format."""
