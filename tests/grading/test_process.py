"""A submission's programs: what is recorded of them, what holds them in, and that they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from movies import ROOT
from systems import needs_linux_root

from rtplab.grading.model.recording import Recording, from_lines, to_lines
from rtplab.grading.record import cgroup
from rtplab.grading.record.process import KEPT_OUTPUT, Program
from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.shields import LAUNCHER, PROCESSES, Shields, raise_shields

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LIMIT = 10.0

SLEEPS_IN_A_GRANDCHILD = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("grandchild", "w").write(open("/proc/self/stat").read())
        print("ready", flush=True)
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def all_shields() -> Shields:
    return raise_shields(sys.executable, own_network=False)


@pytest.fixture(params=["all shields", "limits alone", "none"])
def shields(request: pytest.FixtureRequest, all_shields: Shields) -> Shields:
    given = {"all shields": all_shields, "limits alone": Shields(limits=True), "none": Shields()}
    return given[request.param]


def ran(code: str, folder: Path, shields: Shields) -> Recording:
    recorder = Recorder()
    with Program(recorder, "server", [sys.executable, "-c", code], folder, shields) as program:
        program.wait(LIMIT)
    return recorder.recording("s", "e")


@pytest.fixture
def folder(tmp_path: Path, shields: Shields) -> Path:
    """A folder that the program may write to, whoever it is."""
    place = tmp_path / "submission"
    place.mkdir()
    if shields.uid is not None:
        os.chown(place, shields.uid, shields.uid)
    return place


def test_what_it_writes_and_its_end_are_recorded(folder: Path, shields: Shields) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    recording = ran(code, folder, shields)
    assert recording.said("stdout").split() == ["out"]
    assert recording.said("stderr").split() == ["err"]
    assert [event["status"] for event in recording.of("process.exit")] == [3]


def test_death_by_a_signal_is_recorded_as_such(folder: Path, shields: Shields) -> None:
    recording = ran("import os; os.kill(os.getpid(), 6)", folder, shields)
    assert [event["status"] for event in recording.of("process.exit")] == [-6]


def test_nothing_of_it_outlives_its_end(folder: Path, shields: Shields) -> None:
    recorder = Recorder()
    command = [sys.executable, "-c", SLEEPS_IN_A_GRANDCHILD]
    marked = f"submission-{os.getpid()}-{time.monotonic_ns()}"
    with Program(recorder, "server", [*command, marked], folder, shields) as program:
        assert recorder.wait_until_count("process.stdout", 1, LIMIT)
        program.sample()
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and is_of(pid, marked)]
    assert recorder.count("process.killed") == 1
    (sample,) = recorder.recording("s", "e").of("sample")
    assert sample["threads"] == 1 and sample["fds"] >= 3


THREADS_THAT_SHARE_A_CPU = """
import hashlib, os, sys, threading, time
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
ended = threading.Event()
def work():
    while not ended.is_set():
        hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
time.sleep(0.3)
print("they work", flush=True)
time.sleep(0.3)
ended.set()
for thread in threads:
    thread.join()
time.sleep(0.1)
print("they have ended", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="who waits is not counted")
def test_what_a_thread_waited_for_a_cpu_is_known_when_it_has_ended(
    folder: Path, shields: Shields
) -> None:
    recorder = Recorder()
    command = [sys.executable, "-c", THREADS_THAT_SHARE_A_CPU]
    with Program(recorder, "server", command, folder, shields) as program:
        assert recorder.wait_until_count("process.stdout", 1, LIMIT)
        program.sample()
        deadline = time.monotonic() + LIMIT
        while True:
            program.sample()
            working, *_, ended = recorder.recording("s", "e").of("sample")
            if ended["threads"] == 1 or time.monotonic() > deadline:
                break
            time.sleep(0.05)
    assert working["threads"] == 3 and ended["threads"] == 1
    assert ended["waited"] >= working["waited"] > 0.05


GRADER = """
import sys, time
from pathlib import Path
from rtplab.grading.record.process import Program
from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.shields import Shields, raise_shields

shields = Shields(limits=True)
if sys.argv[1] == "all":
    shields = raise_shields(sys.executable, own_network=False)
program = Program(Recorder(), "server", sys.argv[2:], Path.cwd(), shields)
print("started", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("shields", ["all", "limits alone"])
def test_nothing_outlives_a_grader_that_is_killed(shields: str, tmp_path: Path) -> None:
    marked = f"submission-{os.getpid()}-{time.monotonic_ns()}"
    program = [sys.executable, "-c", "open('began', 'w'); import time; time.sleep(600)", marked]
    (tmp_path / "submission").mkdir()
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER, shields, *program],
        cwd=tmp_path / "submission",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    with grader:
        assert grader.stdout is not None and grader.stdout.readline() == b"started\n"
        wait_until((tmp_path / "submission" / "began").exists)
        grader.kill()
    wait_until(lambda: not running(marked))


def test_nothing_is_started_for_a_grader_that_was_killed_meanwhile(tmp_path: Path) -> None:
    """What asks to be ended with its parent learns nothing of one that has ended before."""
    for parent, runs in ((os.getpid(), True), (os.getppid(), False)):
        shields = {**Shields(limits=True).limited(), "parent": parent}
        program = [sys.executable, "-c", "open('began', 'w')"]
        command = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(shields), *program]
        subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=LIMIT)
        assert (tmp_path / "began").exists() == runs
        (tmp_path / "began").unlink(missing_ok=True)


BECOMES_SECOND = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import launcher

class Libc:
    def prctl(self, *_):
        if sys.argv[2] == "killed":
            parent = os.getppid()
            os.kill(parent, signal.SIGKILL)
            while os.getppid() == parent:
                time.sleep(0.01)

launcher._become_second(Libc())
open("began", "w")
"""


@pytest.mark.parametrize("launcher", ["lives", "killed"])
def test_nothing_is_started_for_a_launcher_that_was_killed_meanwhile(
    launcher: str, tmp_path: Path
) -> None:
    """The first process of a namespace does not see the number of its parent, outside of it."""
    command = [sys.executable, "-c", BECOMES_SECOND, str(LAUNCHER.parent), launcher]
    # Its output is a pipe, which all of its processes hold open until they end.
    subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, timeout=LIMIT)
    assert (tmp_path / "began").exists() == (launcher == "lives")


def running(marked: str) -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and is_of(pid, marked)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_of(pid: str, marked: str) -> bool:
    try:
        return marked.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("shields", ["all shields"], indirect=True)
def test_no_zombies_are_left(folder: Path, shields: Shields) -> None:
    """This process takes orphans, so it must also take their exit status."""
    before = zombies()
    raise_shields(sys.executable, own_network=False)
    assert zombies() == before
    for code, limit in (("pass", LIMIT), ("import time; time.sleep(600)", 0.2)):
        with Program(Recorder(), "server", [sys.executable, "-c", code], folder, shields) as one:
            one.wait(limit)
        assert zombies() == before


def zombies() -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(parent) == os.getpid():
            found.add(int(entry.parent.name))
    return found


def test_output_is_capped(folder: Path, shields: Shields) -> None:
    recording = ran("import sys; sys.stdout.write('x' * 1_000_000)", folder, shields)
    assert len(recording.said("stdout")) == KEPT_OUTPUT


def test_nobody_answers_questions(folder: Path, shields: Shields) -> None:
    assert "EOFError" in ran("input('Port? ')", folder, shields).said("stderr")


def test_its_environment_is_its_own(
    folder: Path, shields: Shields, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "123")
    code = "import os; print(sorted(os.environ)); print(os.environ['HOME'])"
    said = ran(code, folder, shields).said("stdout")
    assert "SECRET_TOKEN" not in said and str(folder) in said


def test_limits_hold(folder: Path, all_shields: Shields) -> None:
    code = """
import resource
open("small", "wb").write(bytes(1000))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
try:
    bytearray(100 << 30)
except MemoryError:
    print("no more memory")
"""
    said = ran(code, folder, Shields(limits=True)).said("stdout")
    assert "512" in said and "no more memory" in said


FORKS = """
import os, time
try:
    for number in range(1000):
        if os.fork() == 0:
            time.sleep(600)
except OSError:
    print(number)
"""
ORDINARY = 61_000  # a user without rights
PYTHON = "/usr/bin/python3"  # which any user may run


@pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason="needs a Python that any user may run")
def test_an_ordinary_user_s_processes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted in a user namespace, so what else that user runs is left alone."""
    user = os.geteuid() or ORDINARY
    monkeypatch.setattr(os, "geteuid", lambda: user)
    limits = json.dumps(Shields(limits=True, processes=True).limited() | {"AS": 1 << 40})
    done = subprocess.run(
        [PYTHON, "-I", "-c", LAUNCHER.read_text(), limits, PYTHON, "-I", "-c", FORKS],
        user=user if os.getuid() == 0 else None,
        extra_groups=[] if os.getuid() == 0 else None,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "namespaces can't be had" in done.stderr:
        pytest.skip("needs user namespaces")
    assert 0 < int(done.stdout) < PROCESSES


BOMB = """
import os
print("go", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
RABBIT = """
import os
print("go", flush=True)
while True:
    if os.fork():
        os._exit(0)
"""
NET = 1500
"""Processes in all, in case that what is tested does not hold."""


@pytest.fixture
def safety_net() -> Iterator[None]:
    """Have this process, and all that it starts, be in a cgroup that bounds their number."""
    parent = cgroup.parent()
    if parent is None:
        pytest.skip("needs a cgroup that can be written to, as a safety net")
    net = cgroup.Group(parent, NET)
    net.members.write_text(str(os.getpid()))
    try:
        yield
    finally:
        (parent / "cgroup.procs").write_text(str(os.getpid()))
        net.remove()


@pytest.mark.parametrize("code", [BOMB, RABBIT], ids=["all stay", "each starts one and ends"])
@pytest.mark.parametrize("python", [sys.executable, PYTHON])
@pytest.mark.parametrize("own_processes", [True, False])
@pytest.mark.alone
@pytest.mark.usefixtures("safety_net")
def test_a_fork_bomb_is_bounded_and_ends(
    code: str, python: str, own_processes: bool, tmp_path: Path
) -> None:
    shields = raise_shields(python, own_network=False)
    if not own_processes:
        shields = replace(shields, processes=False, files=False)
    folder = tmp_path / "submission"
    folder.mkdir()
    if shields.uid is not None:
        os.chown(folder, shields.uid, shields.uid)
    before = set(_of_this_net())
    recorder = Recorder()
    most = 0
    with Program(recorder, "server", [python, "-c", code], folder, shields):
        assert recorder.wait_until_count("process.stdout", 1, LIMIT)
        for _ in range(10):
            time.sleep(0.05)
            most = max(most, len(_of_this_net()))
    assert most <= PROCESSES + len(before) + LAUNCHING
    assert set(_of_this_net()) <= before


LAUNCHING = 5  # processes that are not the submission's: the launcher, and those for namespaces


def _of_this_net() -> list[str]:
    """The processes in this process's cgroup and in those below it."""
    own = next(
        line.split(":", 2)[2]
        for line in Path("/proc/self/cgroup").read_text().splitlines()
        if line.split(":")[1] in ("", "pids") and "rtplab-grade" in line
    )
    found = []
    for entry in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if own in entry.read_text():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def test_the_groups_of_a_grader_that_was_killed_are_removed() -> None:
    parent = cgroup.parent()
    if parent is None:
        pytest.skip("needs a cgroup that can be written to")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left = parent / f"{cgroup.PREFIX}-{ended.pid}-1"
    left.mkdir()
    own = cgroup.Group(parent, PROCESSES)
    assert cgroup.parent() == parent
    assert own.path.exists() and not left.exists()
    own.remove()
    assert not own.path.exists()


def test_root_s_processes_are_bounded_by_a_cgroup_or_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not Shields(limits=True, processes=True).are_processes_bounded
    assert Shields(limits=True, groups=Path("/sys/fs/cgroup")).are_processes_bounded
    assert Shields(limits=True, uid=ORDINARY).are_processes_bounded


THREE_TASKS = """
import threading, time
for _ in range(2):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(flush=True)
time.sleep(600)
"""


@needs_linux_root
def test_an_ordinary_user_s_other_processes_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no namespace counts the submission's apart, the limit is above what runs already."""
    user = ORDINARY + os.getpid() % 100
    command = [PYTHON, "-I", "-c", THREE_TASKS]
    with subprocess.Popen(command, user=user, cwd="/", stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        monkeypatch.setattr(os, "geteuid", lambda: user)
        most = Shields(limits=True).limited()["NPROC"]
        other.kill()
    assert most == 3 + PROCESSES


def test_shields_that_are_said_to_be_up_are(tmp_path: Path, all_shields: Shields) -> None:
    folder = tmp_path / "submission"
    folder.mkdir()
    if all_shields.uid is not None:
        os.chown(folder, all_shields.uid, all_shields.uid)
    code = f"""
import os
print(os.getpid())
open("here", "w").close()
try:
    open({str(tmp_path / "outside")!r}, "w").close()
except OSError:
    pass
"""
    said = ran(code, folder, all_shields).said("stdout")
    assert (folder / "here").exists()
    assert (said.strip() == "2") == all_shields.processes
    if all_shields.files:
        assert not (tmp_path / "outside").exists()


def test_a_recording_is_the_same_when_it_is_read_again(folder: Path, shields: Shields) -> None:
    recording = ran("print('\\xff')", folder, shields)
    again = from_lines(list(to_lines(recording)))
    assert [(e.kind, e.fields) for e in again.events] == [
        (e.kind, e.fields) for e in recording.events
    ]


@pytest.mark.parametrize("lines", [[], ["{}"], ["[]"], ["1"], ['{"scenario": "s"}', "{}"], ["{"]])
def test_what_is_no_recording_is_a_value_error(lines: list[str]) -> None:
    with pytest.raises(ValueError):
        from_lines(lines)
