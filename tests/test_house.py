"""The rules of the house (docs/ARCHITECTURE.md): who may import what, and what lies where."""

from __future__ import annotations

import ast
import fnmatch
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from movies import ROOT

CLASSIC = {"Server", "ServerWorker", "Client", "ClientLauncher", "RtpPacket", "VideoStream"}
UPPER_FLOOR = {"Server", "ServerWorker", "Client", "ClientLauncher"}
ROOMS = {"protocol", "serving", "receiving", "player"}
RUNTIME_DEPENDENCIES = {"PIL"}
OPTIONAL = {"prometheus_client"}  # for --metrics, imported when that is asked for
TOP = {
    *(f"{name}.py" for name in CLASSIC),
    *("movie.Mjpeg", "rtplab", "tests", "bench", "docs", "tools"),
    *("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "Makefile", ".ci", ".gitignore"),
}


class Import(NamedTuple):
    """One imported module, and how: `lazy` in a function, `typing` only for the type checker."""

    module: str
    lazy: bool = False
    typing: bool = False

    @property
    def root(self):
        return self.module.partition(".")[0]

    def is_in(self, *rooms):
        return any(f"{self.module}.".startswith(f"rtplab.{room}.") for room in rooms)


def imports_of(path):
    """Every import of a file, the submodules that `from package import module` names included."""
    found = set()

    def visit(node, lazy, typing):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            lazy = True
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing = True
        if isinstance(node, ast.Import):
            found.update(Import(alias.name, lazy, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole way"
            found.add(Import(node.module, lazy, typing))
            for alias in node.names:
                if is_module(f"{node.module}.{alias.name}"):
                    found.add(Import(f"{node.module}.{alias.name}", lazy, typing))
        for child in ast.iter_child_nodes(node):
            visit(child, lazy, typing)

    visit(ast.parse(path.read_text(encoding="utf-8")), lazy=False, typing=False)
    return found


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def files_of(room):
    return sorted((ROOT / "rtplab" / room).rglob("*.py"))


def all_files():
    return [*(ROOT / f"{name}.py" for name in sorted(CLASSIC)), *(ROOT / "rtplab").rglob("*.py")]


def offenders(files, is_forbidden):
    """Which of the files import what is forbidden, as a text."""
    return [
        f"{path.relative_to(ROOT)} imports {one.module}"
        for path in files
        for one in sorted(imports_of(path))
        if is_forbidden(one)
    ]


def test_there_is_something_to_look_at():
    for room in ROOMS:
        assert len(files_of(room)) > 3
    assert Import("rtplab.protocol.errors") in imports_of(ROOT / "VideoStream.py")
    assert any(one.lazy for one in imports_of(ROOT / "ClientLauncher.py"))


def test_protocol_is_bytes_and_objects_alone():
    """No socket, no thread, no clock, no Tk; nothing of ours but itself."""
    shell = {"socket", "socketserver", "selectors", "select", "threading", "queue", "asyncio"}
    clocks = {"time", "datetime", "sched"}
    assert not offenders(
        files_of("protocol"),
        lambda one: (
            one.root in shell | clocks | CLASSIC | {"tkinter", "subprocess", "os", "PIL"}
            or (one.root == "rtplab" and not one.is_in("protocol") and one.module != "rtplab")
        ),
    )


@pytest.mark.parametrize(("room", "other"), [("serving", "receiving"), ("receiving", "serving")])
def test_server_and_client_know_nothing_of_each_other(room, other):
    assert not offenders(files_of(room), lambda one: one.is_in(other, "player"))


def test_the_player_knows_nothing_of_the_server():
    assert not offenders(files_of("player"), lambda one: one.is_in("serving"))


def test_nothing_below_imports_the_upper_floor():
    files = [path for room in ROOMS for path in files_of(room)]
    files += [ROOT / "RtpPacket.py", ROOT / "VideoStream.py"]
    assert not offenders(files, lambda one: one.root in UPPER_FLOOR)


def test_packet_and_movie_stand_on_protocol_alone():
    files = [ROOT / "RtpPacket.py", ROOT / "VideoStream.py"]
    assert not offenders(files, lambda one: one.root == "rtplab" and not one.is_in("protocol"))


@pytest.mark.parametrize(
    ("module", "rooms"), [("Server", {"serving"}), ("ServerWorker", {"serving"})]
)
def test_the_server_s_modules_use_their_own_room(module, rooms):
    foreign = ROOMS - rooms - {"protocol"}
    assert not offenders([ROOT / f"{module}.py"], lambda one: one.is_in(*foreign))


def test_the_client_does_not_use_the_server_s_room():
    assert not offenders([ROOT / "Client.py"], lambda one: one.is_in("serving"))


def test_tkinter_is_imported_by_the_player_alone_and_by_the_launcher_when_a_window_is_wanted():
    players = set(files_of("player"))
    others = [path for path in all_files() if path not in players]
    launcher = ROOT / "ClientLauncher.py"
    assert not offenders(
        [path for path in others if path != launcher], lambda one: one.root == "tkinter"
    )
    assert not offenders([launcher], lambda one: one.root == "tkinter" and not one.lazy)


def test_the_player_is_imported_only_when_a_window_is_wanted():
    players = set(files_of("player"))
    others = [path for path in all_files() if path not in players]
    assert not offenders(others, lambda one: one.is_in("player") and not one.lazy)


def test_pillow_is_the_only_runtime_dependency():
    known = CLASSIC | {"rtplab"} | set(sys.stdlib_module_names) | RUNTIME_DEPENDENCIES
    assert not offenders(
        all_files(), lambda one: one.root not in known | (OPTIONAL if one.lazy else set())
    )


def test_no_module_imports_itself_in_a_circle():
    """At the top of modules, that is: an import inside a function waits until it is called."""
    graph = {}
    for path in all_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        graph[name] = {
            one.module for one in imports_of(path) if not one.lazy and not one.typing
        } - {name}
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in leaves}
    assert not graph


def test_every_room_says_what_it_is_for():
    for path in all_files():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_nothing_else_lies_at_the_top():
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    found = {
        path.name
        for path in ROOT.iterdir()
        if path.name != ".git" and not any(fnmatch.fnmatch(path.name, name) for name in ignored)
    }
    assert found <= TOP
    assert not TOP - found - {"bench"}


def test_the_package_has_its_four_rooms():
    found = {path.name for path in Path(ROOT / "rtplab").iterdir() if path.name != "__pycache__"}
    assert found == ROOMS | {"__init__.py"}
