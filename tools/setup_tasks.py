"""The tasks of the Makefile: set up what a task needs, then do it.

Nothing here asks a question. If something can't be installed, a sentence says so, with the command
to type.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import setup_machine as machines
import setup_venv as venv
import setup_wine
from setup_machine import Machine

RUFF_FORMAT = ("ruff", "format", "--check")
RUFF_LINT = ("ruff", "check")
MYPY = ("mypy",)
COLLECT_TESTS = ("pytest", "--collect-only", "-qq")
COMPILED_TESTS = Path("tests/__pycache__")


def side_by_side(tests_per_cpu: int) -> tuple[str, ...]:
    """The options of pytest for so many tests at a time: most wait, and not for a CPU."""
    return "-n", str(min(8, tests_per_cpu * (os.cpu_count() or 1))), "--dist", "worksteal"


UNIT_TESTS = (
    *("pytest", *side_by_side(3), "-m", "not (peers or alone or timed or long)"),
    *("--ignore=tests/interop", "--ignore=tests/faults"),
)
ALL_TESTS = (
    ("pytest", *side_by_side(4), "-m", "not (alone or timed)", "--durations=50"),
    ("pytest", "-q", *side_by_side(2), "-m", "timed"),
    ("pytest", "-q", "-m", "alone"),
)
"""First what may meet; then what judges times, and takes little of a CPU itself; then, one by one,
what would disturb all others."""
PROPERTIES = ("pytest", *side_by_side(2), "-m", "hypothesis", "--hypothesis-profile=thorough")

WITH_OPTIONS = ("fuzz", "soak", "grade-soak")
"""The tasks that take arguments of their own."""

USAGE_STATUS = 2
INTERRUPTED_STATUS = 130


class SetupError(Exception):
    """The set-up cannot go on; the message is a sentence for the user."""


def main(arguments: list[str]) -> int:
    tasks: dict[str, Callable[..., int]] = {
        **{"run": run, "test": test, "check": check, "movie": movie, "bench": bench},
        **{"fuzz": fuzz, "soak": soak, "grade-soak": grade_soak},
    }
    task, *options = arguments or [""]
    if task not in tasks or (options and task not in WITH_OPTIONS):
        say(f"Usage: setup.py {'|'.join(tasks)}")
        return USAGE_STATUS
    os.chdir(venv.ROOT)
    try:
        return tasks[task](*options)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS


def run() -> int:
    """Play the demonstration: in a window, or without one if none can be opened."""
    machine = machines.this_machine()
    set_up(machine, "dependencies")
    command = ["ClientLauncher.py"]
    if reason := machines.headless_reason(machine, os.environ, str(venv.PYTHON)):
        say(f"The demonstration runs without a window (--headless): {reason}.")
        say(
            "It receives all of movie.Mjpeg (25 s) from a built-in server; Ctrl+C stops it earlier."
        )
        command.append("--headless")
    else:
        say(
            "The player shows movie.Mjpeg (25 s) from a built-in server. Keys to try: Space pauses,"
        )
        say("arrows skip 5 s, f is full screen, i the protocol panel, ? lists all keys, q quits.")
    return become(command)


def movie() -> int:
    """Remake the demonstration movie."""
    set_up(machines.this_machine(), "dependencies")
    return become(["tools/make_movie.py"])


def bench() -> int:
    """Measure our server against the others that are installed."""
    set_up(machines.this_machine(), "dependencies", peers=True)
    return become(["bench/run.py"])


def fuzz(seconds: str = "60", *targets: str) -> int:
    """Fuzz our code: this many seconds for each target, or for the named ones.

    If none is named, hypothesis looks first, for longer than it does in the tests.
    """
    set_up(machines.this_machine(), "dependencies", "test")
    if not targets and outcome(PROPERTIES):
        return 1
    if not venv.install("fuzz", "--only-binary=:all:"):
        raise SetupError(
            "Fuzzing needs atheris, which is not to be had ready-made for this system and Python: "
            "Linux on x86-64 has it. What was found there is tested everywhere by make test."
        )
    return become(["tests/fuzz/run.py", seconds, *targets])


def soak(minutes: str = "5", *seed: str) -> int:
    """Connect many viewers for this long, and check that the server stays healthy."""
    set_up(machines.this_machine(), "dependencies", "test")
    return become(["tests/soak/run.py", minutes, *seed])


def grade_soak(*runs: str) -> int:
    """Grade ours and the textbook again and again, and check that no verdict is ever wrong."""
    set_up(machines.this_machine(), "dependencies", "test", peers=True)
    return become(["tests/grading/soak.py", *runs])


def check() -> int:
    """The quick checks: they need only packages from pip."""
    set_up(machines.this_machine(), "dependencies", "test")
    return lint() | outcome(UNIT_TESTS)


def test() -> int:
    """All checks and tests. A missing peer is a failure in CI; elsewhere its tests are skipped."""
    machine = machines.this_machine()
    not_to_be_had: list[str] = []
    statuses: list[int] = []

    def meanwhile() -> None:
        if not venv.install("peers", "--only-binary=:all:"):
            not_to_be_had.append("the Python packages named above")
        if machine.platform == "linux" and machine.may_install:
            download_windows()
        statuses.append(lint())

    missing = set_up(machine, "dependencies", "test", peers=True, meanwhile=meanwhile)
    missing += not_to_be_had
    if not venv.install_from_npm():
        missing.append("the npm packages of tests/interop/package.json")
    if machine.platform == "linux" and not provided_windows():
        missing.append("Windows")
    status = statuses[0] | outcome(*ALL_TESTS)
    if not missing:
        return status
    say(f"Not tested, as these are missing: {', '.join(missing)}.")
    return 1 if os.environ.get("CI") else status


def set_up(
    machine: Machine,
    *groups: str,
    peers: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Install missing packages where possible; return those that stay missing.

    The packages of the system come side by side with .venv and with `meanwhile`, which is called
    when .venv is filled. Raises SetupError when there is no .venv with the groups of requirements
    in the end.
    """
    base, tkinter = venv_packages(machine), tkinter_packages(machine)
    wanted = base + tkinter + (machines.missing_peers(machine) if peers else [])
    with ThreadPoolExecutor(1) as beside:
        are_provided = beside.submit(lambda: not wanted or provided(machine, wanted))
        if base and not are_provided.result():
            raise SetupError(
                "Without them .venv can't be created. Install them, then start this again."
            )
        fill_venv(groups)
        meanwhile()
    missing = [] if are_provided.result() else wanted
    if not tkinter and machines.error_of(str(venv.PYTHON), "import tkinter"):
        say(f"tkinter is missing, so no window can be opened. {machines.tkinter_advice(machine)}")
        missing.append("tkinter")
    return missing


def venv_packages(machine: Machine) -> list[str]:
    """The packages needed to create .venv."""
    if venv.is_made() or not machines.error_of(venv.base_python(), "import venv, ensurepip"):
        return []
    package = machines.venv_package(machine)
    return [package] if package else []


def tkinter_packages(machine: Machine) -> list[str]:
    """The packages needed to open a window."""
    error = machines.error_of(venv.base_python(), "import tkinter")
    package = machines.tkinter_package(machine, error) if error else ""
    return [package] if package else []


def provided(machine: Machine, packages: list[str]) -> bool:
    """Install the packages, or say how to; tell if they are there."""
    if machine.may_install:
        say(f"Installing with {machine.packager}: {' '.join(packages)}")
        if machines.install(packages):
            return True
        say("That failed; the reason is above.")
    say(f"Packages are missing. Type: {machines.install_command(machine, packages)}")
    return False


def download_windows() -> None:
    """Get what the Windows of tests/windows needs besides Wine; if it fails, that is said later."""
    with suppress(setup_wine.NoWindows):
        setup_wine.download()


def provided_windows() -> bool:
    """Get the Windows of tests/windows; tell if it is there."""
    try:
        setup_wine.provide()
    except setup_wine.NoWindows as reason:
        say(str(reason))
        return False
    return True


def fill_venv(groups: tuple[str, ...]) -> None:
    """Make .venv if necessary, and install the groups of requirements."""
    if not venv.is_made():
        say(f"Making .venv with {venv.base_python()}")
        if not venv.make():
            raise SetupError(".venv could not be created; the reason is above.")
    for group in groups:
        if not venv.install(group):
            raise SetupError("pip failed; the reason is above. Is the network up?")


def lint() -> int:
    """Check format, rules and types.

    In the meantime a fresh clone's tests are compiled; otherwise each worker would do that itself.
    """
    with ExitStack() as stack:
        if not COMPILED_TESTS.exists():
            command = [str(venv.PYTHON), "-m", *COLLECT_TESTS]
            quiet = subprocess.DEVNULL
            stack.enter_context(subprocess.Popen(command, stdout=quiet, stderr=quiet))
        return outcome(RUFF_FORMAT, RUFF_LINT, MYPY)


def outcome(*checks: tuple[str, ...]) -> int:
    """Run all of the checks one after another; return the exit status of the whole."""
    failed = [" ".join(check) for check in checks if call(["-m", *check])]
    if failed:
        say(f"Failed: {', '.join(failed)}.")
    return 1 if failed else 0


def call(arguments: list[str]) -> int:
    """Run the Python of .venv; at Ctrl+C wait until it has ended, too."""
    process = subprocess.Popen([str(venv.PYTHON), *arguments])
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise


def become(arguments: list[str]) -> int:
    """Replace this process with the Python of .venv, so that it gets every signal."""
    if os.name == "nt":  # Windows has no exec
        return call(arguments)
    os.execv(venv.PYTHON, [str(venv.PYTHON), *arguments])


def say(sentence: str) -> None:
    print(sentence, flush=True)
