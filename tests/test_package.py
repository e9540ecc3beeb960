"""The package by itself: from a clone and installed from its wheel, beside other people's files.

A grading script runs in a folder with a student's Server.py, Client.py and so on. Nothing of ours
may import those, nor a stray module that has the name of one of Python's own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest
from movies import ROOT
from processes import HOST

import rtplab

pytestmark = pytest.mark.long

CLASSIC = ("Server", "ServerWorker", "Client", "ClientLauncher", "RtpPacket", "VideoStream")
LIMIT = 60.0
"""Seconds after which a command that hangs is ended."""
BUILD_LIMIT = 300.0
"""The same for pip, which may have to download setuptools and Pillow."""
BUILD_SOURCE = "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"


# ---------------------------------------------------------------------- the distributions


@dataclass
class Distributions:
    source: Path
    wheel: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The source distribution of this clone, and the wheel that pip makes of it."""
    folder = tmp_path_factory.mktemp("distributions")
    setuptools = folder / "setuptools"
    pip("install", "--target", setuptools, *build_requirements())
    done = subprocess.run(
        [sys.executable, "-c", BUILD_SOURCE, str(folder)],
        cwd=copy_of_the_clone(folder / "clone"),
        env={**os.environ, "PYTHONPATH": str(setuptools)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT,
    )
    assert done.returncode == 0, done.stderr
    (source,) = folder.glob("*.tar.gz")
    pip("wheel", "--no-deps", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    return Distributions(source, wheel)


def build_requirements() -> list[str]:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r"^requires = \[(.*)\]$", pyproject, re.MULTILINE)
    assert found
    return re.findall(r'"([^"]+)"', found[1])


def copy_of_the_clone(target: Path) -> Path:
    """All that could be packed: whatever a build leaves behind stays out of the clone."""
    out = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "*.Mjpeg", "pictures")
    shutil.copytree(ROOT, target, ignore=out)
    return target


def pip(*arguments: str | Path) -> None:
    """Run pip; skip the test when it reaches no package index, which fails it in CI."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_LIMIT,
    )
    if "No matching distribution found" in done.stderr:
        pytest.skip(f"pip finds no package index: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def own_files() -> set[str]:
    """The package's modules, and the one file in Java that the grader has."""
    found = [path for kind in ("*.py", "*.java") for path in (ROOT / "rtplab").rglob(kind)]
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_holds_the_package_alone(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        fields = Parser().parsestr(wheel.read(metadata).decode())
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == own_files() | {"rtplab/py.typed"}
    assert (fields["Name"], fields["Version"]) == ("rtplab", rtplab.__version__)
    assert fields["Requires-Python"] == ">=3.10"
    needed = [line for line in fields.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert [re.match(r"\w+", line)[0] for line in needed] == ["Pillow"]  # type: ignore[index]
    assert fields.get_payload().strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_the_source_distribution_holds_what_the_wheel_is_made_of(
    distributions: Distributions,
) -> None:
    with tarfile.open(distributions.source) as archive:
        files = {member.name.partition("/")[2] for member in archive if member.isfile()}
    of_setuptools = {"PKG-INFO", "setup.cfg", "MANIFEST.in"}
    packed = {name for name in files if not name.startswith("rtplab.egg-info/")} - of_setuptools
    assert packed == own_files() | {"rtplab/py.typed", "pyproject.toml", "README.md", "LICENSE"}


# ---------------------------------------------------------------------- in a folder of a student's


@dataclass
class Package:
    """A Python that can import rtplab, and how its command is started."""

    python: Path
    command: tuple[str | Path, ...]
    environment: dict[str, str]

    def run(self, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )


@pytest.fixture(scope="session")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A virtual environment with nothing in it but the wheel and what that needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=os.name != "nt")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    pip("--python", python, "install", distributions.wheel)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return Package(python, (scripts / "rtplab",), environment)


@pytest.fixture(scope="session")
def clone() -> Package:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return Package(Path(sys.executable), (sys.executable, "-m", "rtplab"), environment)


@pytest.fixture(params=["clone", "installed"])
def package(request: pytest.FixtureRequest) -> Package:
    found: Package = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["command", "module", "safe module"])
def command(request: pytest.FixtureRequest, package: Package) -> tuple[str | Path, ...]:
    """The ways to start it; with -P Python itself leaves the current folder out."""
    if request.param == "command":
        return package.command
    if request.param == "module":
        return (package.python, "-m", "rtplab")
    if sys.version_info < (3, 11):
        return (package.python, "-m", "rtplab")  # it has no -P
    return (package.python, "-P", "-m", "rtplab")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The current folder: its modules must not be imported."""
    for name in (*CLASSIC, "logging"):
        (tmp_path / f"{name}.py").write_text(f'raise SystemExit("the wrong {name} was imported")\n')
    return tmp_path


def test_import_rtplab(package: Package, folder: Path) -> None:
    program = "import rtplab; print(rtplab.__version__)"
    done = package.run(folder, package.python, "-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{rtplab.__version__}\n", "")


def test_the_command_knows_its_verbs(
    package: Package, command: tuple[str | Path, ...], folder: Path
) -> None:
    helped = package.run(folder, *command, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "rtplab serve" in helped.stdout and "rtplab play" in helped.stdout
    for verb in ("serve", "play"):
        helped = package.run(folder, *command, verb, "--help")
        assert (helped.returncode, helped.stderr) == (0, "")
        assert helped.stdout.startswith(f"usage: rtplab {verb} ")
    assert package.run(folder, *command, "--version").stdout == f"rtplab {rtplab.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("sreve",), ("play", "--port"), ("serve", "no port")])
def test_wrong_use_is_a_sentence_and_status_2(
    clone: Package, folder: Path, arguments: tuple[str, ...]
) -> None:
    done = clone.run(folder, *clone.command, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "rtplab" in done.stderr and "Traceback" not in done.stderr


def test_one_serves_what_the_other_plays(package: Package, folder: Path, small_movie: Path) -> None:
    with subprocess.Popen(
        [*package.command, "serve", "0", "--host", HOST, "--media", str(small_movie.parent)],
        cwd=folder,
        env=package.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().rpartition(":")[2].strip()
        try:
            url = f"rtsp://{HOST}:{port}/{small_movie.name}"
            arguments = ("play", url, "--headless", "--frames", "5", "--json")
            done = package.run(folder, *package.command, *arguments)
        finally:
            server.terminate()
            server.communicate(timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 5
    assert server.returncode == 0


def test_the_demonstration_of_a_clone(clone: Package, folder: Path) -> None:
    arguments = ("play", "--headless", "--frames", "3", "--json")
    done = clone.run(folder, *clone.command, *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 3


def test_without_a_movie_there_is_no_demonstration(installed: Package, folder: Path) -> None:
    done = installed.run(folder, *installed.command, "play", "--headless")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "rtplab play rtsp://" in done.stderr
