"""What a teacher uploads: the grader, the modules that it needs, and a platform's scripts.

A bundle holds no client and no server, so nothing that a student could hand in.
"""

from __future__ import annotations

import ast
import io
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
START = "rtplab.grading.cli"
ALWAYS = ("rtplab", "rtplab.__main__")
SETUP = "python3 python3-tk python3-pil python3-pil.imagetk xvfb"
GRADER = "grader"
"""The folder with the package in it."""
EDITION = "edition.json"

Files = dict[str, bytes]
"""By path in the bundle."""


def modules_needed() -> set[str]:
    """The package's modules that the grader imports, and those that these import."""
    found: set[str] = set()
    waiting = [START, *ALWAYS]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found.add(name)
        waiting.append(name.rpartition(".")[0])
        if name not in ALWAYS:  # the commands import everything when they run
            waiting.extend(_imported(path))
    return found


def _file(name: str) -> Path | None:
    place = PACKAGE.parent.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if name.startswith("rtplab") and path.is_file():
            return path
    return None


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_files() -> Files:
    """The needed part of the package, with everything that runs in a submission's process."""
    paths = {_file(name) for name in modules_needed()}
    for kind in ("*.py", "*.java"):
        paths |= set((PACKAGE / "grading" / "inside").rglob(kind))
    paths.add(PACKAGE / "grading" / "record" / "launcher.py")
    found = sorted(path for path in paths if path is not None)
    return {
        f"{GRADER}/{path.relative_to(PACKAGE.parent).as_posix()}": path.read_bytes()
        for path in found
    }


# --- The platforms --------------------------------------------------------------------------------

_GRADESCOPE_SETUP = f"""#!/usr/bin/env bash
# Run once, when the image is made.
apt-get update
apt-get install -y --no-install-recommends {SETUP}
"""
_GRADESCOPE_RUN = """#!/usr/bin/env bash
# Run for each submission.
base="${{AUTOGRADER_BASE:-/autograder}}"
mkdir -p "$base/results"
chmod o= "$base/results" "$base/source"
cd "$base/source/grader"
python3 -m rtplab grade "$base/submission" {edition} \\
    --report "gradescope:$base/results/results.json"
exit 0
"""
_CLASSROOM50 = '''"""Grades the checkout in which it is run, and writes result.json."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
checkout = os.getcwd()
command = [sys.executable, "-m", "rtplab", "grade", checkout, {edition}]
command += ["--report", "classroom50:" + os.path.join(checkout, "result.json")]
command += ["--report", "markdown:" + os.path.join(checkout, "release-body.md")]
done = subprocess.run(command, cwd=os.path.join(HERE, "grader"))
summary = os.environ.get("GITHUB_STEP_SUMMARY")
if summary:
    with open(os.path.join(checkout, "release-body.md")) as report, open(summary, "a") as file:
        file.write(report.read())
sys.exit(0 if done.returncode in (0, 1, 3) else done.returncode)
'''
_PRAIRIELEARN_RUN = """#!/usr/bin/env bash
# The entry point of the external grader.
base="${{GRADE_BASE:-/grade}}"
mkdir -p "$base/results"
cd "$base/tests/grader"
python3 -m rtplab grade "$base/student" {edition} \\
    --report "prairielearn:$base/results/results.json"
exit 0
"""
_PRAIRIELEARN_DOCKER = f"""FROM ubuntu:22.04
RUN apt-get update && DEBIAN_FRONTEND=noninteractive \\
    apt-get install -y --no-install-recommends {SETUP} && rm -rf /var/lib/apt/lists/*
"""
_PRAIRIELEARN_INFO = """{
  "gradingMethod": "External",
  "externalGradingOptions": {
    "enabled": true,
    "image": "REPLACE/WITH-THE-IMAGE-OF-THE-DOCKERFILE",
    "entrypoint": "/grade/tests/run.sh",
    "timeout": 300
  }
}
"""
_VPL = """#!/bin/bash
# Makes the program that VPL runs to evaluate.
cat > vpl_execution <<'END'
#!/bin/bash
here="$(pwd)"
place="$(mktemp -d)"
python3 -m zipfile -e "$here/grader.zip" "$place"
submission="$place/submission"
mkdir "$submission"
cp "$here"/*.py "$submission"
cp "$here"/*.Mjpeg "$submission" 2> /dev/null
cd "$place/grader"
python3 -m rtplab grade "$submission" {edition} --report vpl
rm -rf "$place"
END
chmod +x vpl_execution
"""


def _gradescope(package: Files, edition: str) -> Files:
    run = _GRADESCOPE_RUN.format(edition=edition)
    return {**package, "setup.sh": _GRADESCOPE_SETUP.encode(), "run_autograder": run.encode()}


def _classroom50(package: Files, edition: str) -> Files:
    quoted = ", ".join(repr(word) for word in edition.split())
    return {**package, "autograder.py": _CLASSROOM50.replace("{edition}", quoted).encode()}


def _prairielearn(package: Files, edition: str) -> Files:
    return {
        **{f"tests/{name}": data for name, data in package.items()},
        "tests/run.sh": _PRAIRIELEARN_RUN.format(edition=edition).encode(),
        "Dockerfile": _PRAIRIELEARN_DOCKER.encode(),
        "info.json": _PRAIRIELEARN_INFO.encode(),
    }


def _vpl(package: Files, edition: str) -> Files:
    script = _VPL.replace("{edition}", edition)
    return {"vpl_evaluate.sh": script.encode(), "grader.zip": _zipped(package)}


PLATFORMS: Mapping[str, Callable[[Files, str], Files]] = {
    "gradescope": _gradescope,
    "classroom50": _classroom50,
    "prairielearn": _prairielearn,
    "vpl": _vpl,
}
_PROGRAMS = {"setup.sh", "run_autograder", "tests/run.sh", "vpl_evaluate.sh"}


def write_bundle(platform: str, target: Path, edition: str) -> None:
    """Write a bundle: into a zip if the target is named so, else into a folder. Raises OSError.

    `edition` is a name, or the file of a teacher's own edition, which is put into the bundle.
    """
    package = package_files()
    asked = f"--edition {edition}" if edition else ""
    if edition and Path(edition).is_file():
        package[f"{GRADER}/{EDITION}"] = Path(edition).read_bytes()
        asked = f"--edition {EDITION}"
    files = PLATFORMS[platform](package, asked)
    if target.suffix == ".zip":
        target.write_bytes(_zipped(files))
        return
    for name, data in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if name in _PROGRAMS:
            path.chmod(0o755)


def _zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            mode = 0o755 if name in _PROGRAMS else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()
