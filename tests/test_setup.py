"""The set-up script: what it says and decides on each kind of machine. Nothing is installed."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import setup_machine
import setup_tasks
import setup_venv
import setup_wine
from mypy.config_parser import parse_config_file
from mypy.options import Options
from setup_machine import Machine
from wording import lacks

ROOT = Path(__file__).resolve().parent.parent
SETUP = ROOT / "tools" / "setup.py"

DEBIAN_ROOT = Machine("linux", "3.11", "/usr", "apt-get", "python3", True)
DEBIAN_USER = Machine("linux", "3.11", "/usr", "apt-get", "python3", False)
UBUNTU_OTHER = Machine("linux", "3.12", "/usr", "apt-get", "python3.12", False)
PYENV = Machine("linux", "3.12", "/home/ann/.pyenv/versions/3.12.1", "apt-get", "", False)
FEDORA = Machine("linux", "3.13", "/usr", "", "", False)
HOMEBREW = Machine(
    "darwin", "3.12", "/opt/homebrew/opt/python@3.12/Frameworks/Python.framework", "brew", "", False
)
MAC_PYENV = Machine("darwin", "3.12", "/Users/ann/.pyenv/versions/3.12.1", "brew", "", False)
WINDOWS = Machine("win32", "3.13", r"C:\Python313", "", "", False)

LIMIT = 10.0  # seconds that anything may take

NOT_BUILT = "ModuleNotFoundError: No module named '_tkinter'"
NO_LIBRARY = "ImportError: libtk8.6.so: cannot open shared object file: No such file or directory"


class TestOldPython:
    def test_gets_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
            patch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
            patch.setattr(sys, "version", "3.9.2 (default, Feb 28 2021)")
            runpy.run_path(str(SETUP))
        message = end.value.code
        assert isinstance(message, str)
        assert not lacks(message, "3.10", "3.9.2")
        assert "make run PYTHON=python3.12" in message
        assert r"py -3.12 tools\setup.py run" in message
        assert "\n" not in message

    def test_can_read_the_script(self) -> None:
        ast.parse(SETUP.read_text(encoding="utf-8"), feature_version=(3, 4))


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run", "test"], ["fuzzy"]])
def test_wrong_arguments_are_a_usage_error(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, SETUP, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout.startswith("Usage: setup.py run|test|check|")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


class TestMissingTkinter:
    @pytest.mark.parametrize(
        ("machine", "error", "package"),
        [
            (DEBIAN_ROOT, NOT_BUILT, "python3-tk"),
            (UBUNTU_OTHER, NOT_BUILT, "python3.12-tk"),
            (PYENV, NO_LIBRARY, "libtk8.6"),
            (HOMEBREW, NOT_BUILT, "python-tk@3.12"),
            (PYENV, NOT_BUILT, ""),
            (MAC_PYENV, NOT_BUILT, ""),
            (FEDORA, NO_LIBRARY, ""),
            (WINDOWS, NOT_BUILT, ""),
        ],
    )
    def test_package(self, machine: Machine, error: str, package: str) -> None:
        assert setup_machine.tkinter_package(machine, error) == package

    @pytest.mark.parametrize(
        ("machine", "advice"),
        [
            (WINDOWS, ("installer", "Modify", "tcl/tk")),
            (FEDORA, ("package manager",)),
            (PYENV, ("sudo apt-get install tk-dev", "build", "again")),
            (MAC_PYENV, ("brew install tcl-tk", "build", "again")),
        ],
    )
    def test_advice_without_a_package(self, machine: Machine, advice: tuple[str, ...]) -> None:
        assert not lacks(setup_machine.tkinter_advice(machine), *advice)


class TestCommandToType:
    @pytest.mark.parametrize(
        ("machine", "commands", "typed"),
        [
            (DEBIAN_ROOT, "sudo", "apt-get update && apt-get install {} python3-tk"),
            (DEBIAN_USER, "sudo", "sudo apt-get update && sudo apt-get install {} python3-tk"),
            (DEBIAN_USER, "", "su - -c 'apt-get update && apt-get install {} python3-tk'"),
        ],
    )
    def test_debian(
        self, monkeypatch: pytest.MonkeyPatch, machine: Machine, commands: str, typed: str
    ) -> None:
        monkeypatch.setattr("shutil.which", lambda command: command in commands)
        command = setup_machine.install_command(machine, ["python3-tk"])
        assert command == typed.format("--no-install-recommends")

    def test_homebrew(self) -> None:
        command = setup_machine.install_command(HOMEBREW, ["python-tk@3.12", "mpv"])
        assert command == "brew install python-tk@3.12 mpv"


class TestDisplay:
    def probe(
        self, monkeypatch: pytest.MonkeyPatch, machine: Machine, display: str = "", broken: str = ""
    ) -> str:
        """The reason for no window, where code that contains `broken` fails."""

        def error_of(python: str, code: str) -> str:
            return "failed" if broken and broken in code else ""

        monkeypatch.setattr(setup_machine, "error_of", error_of)
        environ = {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": display}
        return setup_machine.headless_reason(machine, environ, "python")

    @pytest.mark.parametrize("machine", [HOMEBREW, WINDOWS])
    def test_is_taken_for_granted(self, monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
        assert self.probe(monkeypatch, machine) == ""

    def test_is_named_on_linux(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.probe(monkeypatch, DEBIAN_USER, display=":0") == ""

    def test_of_wayland_alone_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "no display" in self.probe(monkeypatch, DEBIAN_USER)

    def test_is_of_no_use_without_tkinter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reason = self.probe(monkeypatch, DEBIAN_USER, ":0", broken="import tkinter")
        assert "no tkinter" in reason

    def test_may_be_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reason = self.probe(monkeypatch, DEBIAN_USER, ":0", broken="Tk()")
        assert "display" in reason


class TestMissingPeers:
    @pytest.mark.parametrize(
        ("commands", "asked"),
        [
            (["npm", "javac"], set()),
            (["javac"], {"nodejs", "npm"}),
            (["npm"], {"default-jdk"}),
        ],
    )
    def test_a_command_s_package_is_installed_only_where_there_is_no_such_command(
        self, commands: list[str], asked: set[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.which", lambda command: command in commands)
        monkeypatch.setattr(setup_machine, "missing_packages", list)
        missing = setup_machine.missing_peers(DEBIAN_ROOT)
        assert {*missing} - {*setup_machine.APT_PEERS} == asked


class TestErrorOf:
    def test_is_empty_when_all_is_well(self) -> None:
        assert setup_machine.error_of(sys.executable, "print('well')") == ""

    def test_ends_with_what_was_raised(self) -> None:
        error = setup_machine.error_of(sys.executable, "import no_such_module")
        assert error.endswith("No module named 'no_such_module'")

    def test_is_never_empty_on_failure(self) -> None:
        assert setup_machine.error_of(sys.executable, "raise SystemExit(3)") == "exit status 3"


class TestRequirements:
    TEXT = (
        'dependencies = ["Pillow>=10"]\n[x]\ntest = [\n    "a[b]>=1",\n    "c==2",\n]\nd = ["e"]\n'
    )

    def test_on_one_line(self) -> None:
        assert setup_venv.requirements("dependencies", self.TEXT) == ["Pillow>=10"]

    def test_on_many_lines(self) -> None:
        assert setup_venv.requirements("test", self.TEXT) == ["a[b]>=1", "c==2"]

    def test_unknown_group(self) -> None:
        with pytest.raises(ValueError, match="no group tests"):
            setup_venv.requirements("tests", self.TEXT)

    def test_of_this_project(self) -> None:
        pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert [r[:6] for r in setup_venv.requirements("dependencies", pyproject)] == ["Pillow"]
        assert any(r.startswith("pytest") for r in setup_venv.requirements("test", pyproject))
        assert any(r.startswith("av") for r in setup_venv.requirements("peers", pyproject))


class Installer:
    """A machine's package manager and pip that only note what they are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...] = ()) -> None:
        self.packages: list[str] = []
        self.groups: list[str] = []
        self.lacking = list(lacking)
        self.may_end = threading.Event()
        """The package manager goes on until this is set."""
        self.may_end.set()
        monkeypatch.setattr(setup_machine, "error_of", self.error_of)
        monkeypatch.setattr(setup_machine, "install", self.install_packages)
        monkeypatch.setattr(setup_machine, "missing_peers", lambda machine: ["xvfb", "mpv"])
        monkeypatch.setattr(setup_venv, "is_made", lambda: False)
        monkeypatch.setattr(setup_venv, "make", lambda: True)
        monkeypatch.setattr(setup_venv, "install", self.install_group)
        monkeypatch.setattr(setup_venv, "install_from_npm", lambda: "npm" not in self.lacking)

    def error_of(self, python: str, code: str) -> str:
        return next((f"No module named {module}" for module in self.lacking if module in code), "")

    def install_packages(self, packages: list[str]) -> bool:
        assert self.may_end.wait(LIMIT), "nothing was done beside it"
        self.packages += packages
        self.lacking.clear()
        return True

    def install_group(self, group: str, *options: str) -> bool:
        self.groups.append(group)
        return True


class TestSetUp:
    def test_root_on_bare_debian_gets_everything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        installer = Installer(monkeypatch, lacking=("ensurepip", "tkinter"))
        monkeypatch.setattr(setup_venv, "make", lambda: bool(installer.packages))
        assert setup_tasks.set_up(DEBIAN_ROOT, "dependencies", "test", peers=True) == []
        assert installer.packages == ["python3-venv", "python3-tk", "xvfb", "mpv"]
        assert installer.groups == ["dependencies", "test"]

    def test_run_needs_no_peers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        installer = Installer(monkeypatch)
        assert setup_tasks.set_up(DEBIAN_ROOT, "dependencies") == []
        assert installer.packages == []

    def test_pip_does_not_wait_for_packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        installer = Installer(monkeypatch, lacking=("tkinter",))
        installer.may_end.clear()

        def meanwhile() -> None:
            assert (installer.groups, installer.packages) == (["dependencies"], [])
            installer.may_end.set()

        missing = setup_tasks.set_up(DEBIAN_ROOT, "dependencies", peers=True, meanwhile=meanwhile)
        assert missing == []
        assert installer.packages == ["python3-tk", "xvfb", "mpv"]

    def test_user_is_told_the_command_and_goes_on(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        installer = Installer(monkeypatch, lacking=("tkinter",))
        assert setup_tasks.set_up(DEBIAN_USER, "dependencies") == ["python3-tk"]
        assert "apt-get install --no-install-recommends python3-tk" in capsys.readouterr().out
        assert installer.packages == []
        assert installer.groups == ["dependencies"]

    def test_user_without_ensurepip_cannot_go_on(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        installer = Installer(monkeypatch, lacking=("ensurepip", "tkinter"))
        with pytest.raises(setup_tasks.SetupError, match=r"\.venv"):
            setup_tasks.set_up(DEBIAN_USER, "dependencies")
        assert "--no-install-recommends python3-venv python3-tk" in capsys.readouterr().out
        assert installer.groups == []

    def test_user_of_a_python_built_without_tkinter_gets_advice(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        installer = Installer(monkeypatch, lacking=("tkinter",))
        assert setup_tasks.set_up(PYENV, "dependencies") == ["tkinter"]
        assert "tkinter is missing" in (said := capsys.readouterr().out) and "The Python in" in said
        assert installer.groups == ["dependencies"]


class TestTestTask:
    @pytest.fixture
    def verdict(self, monkeypatch: pytest.MonkeyPatch) -> Installer:
        monkeypatch.setattr(setup_machine, "this_machine", lambda: DEBIAN_USER)
        monkeypatch.setattr(setup_tasks, "call", lambda arguments: 0)
        monkeypatch.setattr(setup_wine, "provide", lambda: None)
        return Installer(monkeypatch)

    def test_passes_without_peers_elsewhere(
        self,
        verdict: Installer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.delenv("CI", raising=False)
        assert setup_tasks.test() == 0
        last_line = capsys.readouterr().out.splitlines()[-1]
        assert not lacks(last_line, "not tested", "missing", "xvfb", "mpv")

    def test_fails_without_peers_in_ci(
        self, verdict: Installer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CI", "true")
        assert setup_tasks.test() == 1

    @pytest.mark.parametrize(("lacking", "status"), [((), 0), (("npm",), 1)])
    def test_fails_in_ci_without_what_npm_brings(
        self, lacking: tuple[str, ...], status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Installer(monkeypatch, lacking)
        monkeypatch.setattr(setup_machine, "this_machine", lambda: DEBIAN_USER)
        monkeypatch.setattr(setup_machine, "missing_peers", lambda machine: [])
        monkeypatch.setattr(setup_tasks, "call", lambda arguments: 0)
        monkeypatch.setattr(setup_wine, "provide", lambda: None)
        monkeypatch.setenv("CI", "true")
        assert setup_tasks.test() == status

    @pytest.mark.parametrize("machine", [DEBIAN_ROOT, DEBIAN_USER])
    def test_downloads_windows_beside_where_wine_comes_by_itself(
        self, machine: Machine, verdict: Installer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        downloaded: list[bool] = []

        def download() -> None:
            downloaded.append(bool(verdict.packages))
            verdict.may_end.set()
            raise setup_wine.NoWindows("the network is down")

        verdict.may_end.clear()
        monkeypatch.setattr(setup_machine, "this_machine", lambda: machine)
        monkeypatch.setattr(setup_wine, "download", download)
        monkeypatch.delenv("CI", raising=False)
        assert setup_tasks.test() == 0
        assert downloaded == ([False] if machine.may_install else [])

    def test_goes_on_to_the_tests_when_a_check_fails(
        self, verdict: Installer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[str] = []

        def call(arguments: list[str]) -> int:
            called.append(arguments[1])
            return arguments[1] == "mypy"

        monkeypatch.setattr(setup_tasks, "call", call)
        assert setup_tasks.test() == 1
        assert called == ["ruff", "ruff", "mypy", "pytest", "pytest", "pytest"]

    @pytest.mark.parametrize(
        ("machine", "ci", "status"),
        [(DEBIAN_USER, "", 0), (DEBIAN_USER, "true", 1), (WINDOWS, "true", 0)],
    )
    def test_says_why_there_is_no_windows_where_wine_should_make_one(
        self,
        machine: Machine,
        ci: str,
        status: int,
        verdict: Installer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def refuse() -> None:
            raise setup_wine.NoWindows("Wine does not run here")

        monkeypatch.setenv("CI", ci)
        monkeypatch.setattr(setup_machine, "missing_peers", lambda machine: [])
        monkeypatch.setattr(setup_machine, "this_machine", lambda: machine)
        monkeypatch.setattr(setup_wine, "provide", refuse)
        assert setup_tasks.test() == status
        assert ("Wine does not run here" in capsys.readouterr().out) is (machine is DEBIAN_USER)


@pytest.mark.skipif(sys.platform == "win32", reason="Wine is had elsewhere")
class TestWindowsByWine:
    """What is made once and kept."""

    @pytest.fixture(autouse=True)
    def steps(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
        steps: list[str] = []

        def note(name: str, place: Path) -> None:
            steps.append(name)
            place.mkdir()

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(setup_wine, "_wine", lambda: Path("/usr/bin/wine"))
        monkeypatch.setattr(setup_wine, "_wine_version", lambda wine: "wine-8.0")
        monkeypatch.setattr(setup_wine, "_unpack_python", lambda place: note("python", place))
        monkeypatch.setattr(
            setup_wine, "_install_packages", lambda place, wanted: note("packages", place)
        )
        monkeypatch.setattr(setup_wine, "_make_prefix", lambda place, wine: note("prefix", place))
        return steps

    def test_is_made_once_and_lies_in_the_cache(self, steps: list[str], tmp_path: Path) -> None:
        assert setup_wine.provide() == setup_wine.provide()
        assert steps == ["python", "packages", "prefix"]
        assert tmp_path in setup_wine.provide().prefix.parents

    def test_of_another_version_is_made_beside(
        self, steps: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        setup_wine.provide()
        monkeypatch.setattr(setup_wine, "_wine_version", lambda wine: "wine-10.0")
        setup_wine.provide()
        assert steps == ["python", "packages", "prefix", "prefix"]

    def test_that_fails_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(place: Path, wine: Path) -> None:
            place.mkdir()
            raise setup_wine.NoWindows("it does not start")

        with monkeypatch.context() as patch, pytest.raises(setup_wine.NoWindows):
            patch.setattr(setup_wine, "_make_prefix", fail)
            setup_wine.provide()
        assert setup_wine.provide().prefix.is_dir()

    def test_a_step_that_fails_or_hangs_is_a_sentence(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(setup_wine.NoWindows, match="no such place"):
            setup_wine._run([sys.executable, "-c", "raise SystemExit('no such place')"])
        monkeypatch.setattr(setup_wine, "STEP_LIMIT", 0.01)
        with pytest.raises(setup_wine.NoWindows, match="timed out"):
            setup_wine._run([sys.executable, "-c", "import time; time.sleep(9)"])


class TestFuzzTask:
    @pytest.fixture
    def started(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        command: list[str] = []
        monkeypatch.chdir(ROOT)  # where the task goes, too
        monkeypatch.setattr(setup_machine, "this_machine", lambda: DEBIAN_USER)
        monkeypatch.setattr(setup_tasks, "become", lambda arguments: command.extend(arguments) or 0)
        return command

    def test_passes_its_arguments_on(
        self, started: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installer = Installer(monkeypatch)
        assert setup_tasks.main(["fuzz", "5", "url"]) == 0
        assert installer.groups == ["dependencies", "test", "fuzz"]
        assert started == ["tests/fuzz/run.py", "5", "url"]

    @pytest.mark.parametrize(("status", "command"), [(0, ["tests/fuzz/run.py", "60"]), (1, [])])
    def test_has_hypothesis_look_first(
        self, started: list[str], monkeypatch: pytest.MonkeyPatch, status: int, command: list[str]
    ) -> None:
        Installer(monkeypatch)
        monkeypatch.setattr(setup_tasks, "call", lambda arguments: status)
        assert setup_tasks.main(["fuzz"]) == status
        assert started == command

    def test_says_where_atheris_is_to_be_had(
        self,
        started: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        Installer(monkeypatch)
        monkeypatch.setattr(setup_venv, "install", lambda group, *options: group != "fuzz")
        assert setup_tasks.main(["fuzz", "60", "url"]) == 1
        assert "Linux on x86-64" in capsys.readouterr().out
        assert not started


def test_every_check_runs_and_the_failed_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = {"ruff": 1, "mypy": 0, "pytest": 2}
    monkeypatch.setattr(setup_tasks, "call", lambda arguments: statuses.pop(arguments[1]))
    assert setup_tasks.outcome(("ruff", "check"), ("mypy",), ("pytest",)) == 1
    assert statuses == {}
    said = capsys.readouterr().out
    assert not lacks(said, "failed", "ruff check", "pytest") and "mypy" not in said


def test_types_are_judged_alike_on_every_system() -> None:
    """Those of `os` and `socket` differ, and code of POSIX alone is no error on Windows."""
    options = Options()
    options.platform = "win32"  # as mypy has it there by itself
    parse_config_file(options, lambda: None, str(ROOT / "pyproject.toml"))
    assert options.platform == "linux"


def test_git_changes_no_line_ends_on_windows() -> None:
    """It would turn the bytes of the fuzzing corpus into others, and .ci/run into no script."""
    assert "* -text" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()


class Elsewhere:
    """A project in another place, whose interpreter is this one; commands are only noted."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text('test = ["pytest>=8"]\n')
        (tmp_path / ".venv").mkdir()
        self.pyproject = tmp_path / "pyproject.toml"
        self.commands: list[list[str]] = []
        self.status = 0
        monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
        monkeypatch.setattr(setup_venv, "VENV", tmp_path / ".venv")
        monkeypatch.setattr(setup_venv, "PYTHON", Path(sys.executable))
        monkeypatch.setattr("subprocess.run", self.run)

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self.status)


class TestVirtualEnvironment(Elsewhere):
    def test_is_made_once(self) -> None:
        assert not setup_venv.is_made()
        assert setup_venv.make()
        assert setup_venv.is_made()

    def test_of_another_interpreter_is_not_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        setup_venv.make()
        monkeypatch.setattr(sys, "version", "3.99.0")
        assert not setup_venv.is_made()

    def test_that_failed_is_not_made(self) -> None:
        self.status = 1
        assert not setup_venv.make()
        assert not setup_venv.is_made()

    def test_gets_a_group_once(self) -> None:
        assert setup_venv.install("test") and setup_venv.install("test")
        assert [command[-1] for command in self.commands] == ["pytest>=8"]

    def test_gets_changed_requirements(self) -> None:
        setup_venv.install("test")
        self.pyproject.write_text('test = ["pytest>=9"]\n')
        setup_venv.install("test")
        assert [command[-1] for command in self.commands] == ["pytest>=8", "pytest>=9"]

    def test_tries_again_what_failed(self) -> None:
        self.status = 1
        assert not setup_venv.install("test")
        self.status = 0
        assert setup_venv.install("test")
        assert len(self.commands) == 2


class TestNpm(Elsewhere):
    @pytest.fixture(autouse=True)
    def packages(self, elsewhere: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.listed = tmp_path / "tests" / "interop" / "package.json"
        self.listed.parent.mkdir(parents=True)
        self.listed.write_text('{"dependencies": {"a": "1.0.0"}}')
        monkeypatch.setattr(setup_venv, "NPM", tmp_path / ".venv" / "npm")
        monkeypatch.setattr("shutil.which", lambda command: f"/usr/bin/{command}")

    def test_is_used_once_for_each_list(self) -> None:
        assert setup_venv.install_from_npm() and setup_venv.install_from_npm()
        self.listed.write_text('{"dependencies": {"a": "1.0.1"}}')
        assert setup_venv.install_from_npm()
        assert [command[:2] for command in self.commands] == 2 * [["/usr/bin/npm", "install"]]
        assert (setup_venv.NPM / "package.json").read_text() == self.listed.read_text()

    def test_that_failed_is_used_again(self) -> None:
        self.status = 1
        assert not setup_venv.install_from_npm()
        self.status = 0
        assert setup_venv.install_from_npm()
        assert len(self.commands) == 2

    def test_may_be_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shutil.which", lambda command: None)
        assert not setup_venv.install_from_npm()
        assert not self.commands


class TestLint:
    @pytest.mark.parametrize("is_compiled", [False, True])
    def test_compiles_the_tests_of_a_fresh_clone(
        self, is_compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("compile_them.py").write_text("open('compiled', 'w').close()")
        if is_compiled:
            setup_tasks.COMPILED_TESTS.mkdir(parents=True)
        monkeypatch.setattr(setup_venv, "PYTHON", Path(sys.executable))
        monkeypatch.setattr(setup_tasks, "COLLECT_TESTS", ("compile_them",))
        monkeypatch.setattr(setup_tasks, "outcome", lambda *checks: 3)
        assert setup_tasks.lint() == 3
        assert Path("compiled").exists() is not is_compiled


@pytest.mark.long
def test_each_test_runs_once_and_its_failure_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(setup_venv, "PYTHON", Path(sys.executable))
    Path("pytest.ini").write_text("[pytest]\nmarkers =\n  alone\n  timed\n")
    Path("conftest.py").write_text(
        "def pytest_runtest_call(item):\n"
        "    with open('ran', 'a') as file: print(item.name, file=file)\n"
    )
    Path("test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 0\n"
        "@pytest.mark.alone\n"
        "def test_worse(): assert 0\n"
        "@pytest.mark.alone\n"
        "def test_better(): pass\n"
        "@pytest.mark.timed\n"
        "def test_late(): assert 0\n"
        "@pytest.mark.timed\n"
        "def test_later(): pass\n"
    )
    assert setup_tasks.outcome(*setup_tasks.ALL_TESTS) == 1
    names = "bad", "better", "good", "late", "later", "worse"
    assert sorted(Path("ran").read_text().split()) == [f"test_{name}" for name in names]


SCRIPTS = (
    *("tests/soak/run.py", "tests/fuzz/run.py", "tests/grading/soak.py"),
    *("bench/run.py", "bench/player.py", "tools/make_movie.py", "tools/screenshots.py"),
)


@pytest.mark.skipif(os.name == "nt", reason="some of them count what POSIX lends a process")
def test_the_scripts_find_what_they_import_without_the_help_of_pytest():
    read = (
        "import os, runpy, sys; sys.path[0] = os.path.dirname(sys.argv[1]); "
        "runpy.run_path(sys.argv[1], run_name='read')"
    )
    running = {
        script: subprocess.Popen(
            [sys.executable, "-c", read, script], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        for script in SCRIPTS
    }
    said = {script: process.communicate()[1] for script, process in running.items()}
    assert said == dict.fromkeys(SCRIPTS, "")
