"""The layers of the package (docs/ARCHITECTURE.md): who may import what.

Every import counts, also one inside a function, and one for the type checker alone.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from movies import ROOT

CLASSIC = {"Server", "ServerWorker", "Client", "ClientLauncher", "RtpPacket", "VideoStream"}
RUNTIME_DEPENDENCIES = {"PIL"}
OPTIONAL = {"prometheus_client", "av"}
"""For --metrics, and for videos without ffmpeg: imported inside a function, when needed."""

LAYERS = {
    "grading": [
        ["grading"],
        ["grading/record", "grading/judge", "grading/report"],
        [
            "grading/model",
            "grading/inside",
            "grading/inside/site",
            "grading/inside/stub",
            "grading/inside/stub/tkinter",
        ],
    ],
    "api": [["api"]],
    "player": [
        ["player"],
        ["player/panel", "player/controls", "player/picture"],
        ["player/look", "player/model"],
    ],
    "serving": [
        ["serving"],
        ["serving/process"],
        ["serving/scaling", "serving/http"],
        ["serving/rtsp"],
        ["serving/rtp"],
        ["serving/media"],
        ["serving/admission"],
    ],
    "receiving": [
        ["receiving"],
        ["receiving/http"],
        ["receiving/rtsp"],
        ["receiving/rtp"],
        ["receiving/files"],
    ],
    "importing": [["importing"]],
    "movies": [["movies"]],
    "protocol": [["protocol/http"], ["protocol/rtsp"], ["protocol/rtp"], ["protocol"]],
}
"""The parts of the package, each from its top layer to its lowest.

A module may import from its own folder, from the layers below, and from what its part stands on;
so not from another folder in its layer.
"""

PROTOCOL = ["protocol/http", "protocol/rtsp", "protocol/rtp", "protocol"]
STANDS_ON = {
    "grading": ["receiving/rtp", "receiving/files", "movies", *PROTOCOL],
    "api": [
        *("receiving", "receiving/http", "receiving/rtsp", "receiving/rtp"),
        *("serving/process", "serving/http", "serving/scaling", "serving/rtsp", "serving/rtp"),
        *("serving/media", *PROTOCOL),
    ],
    "player": ["receiving/rtsp", "receiving/rtp", "receiving/files", *PROTOCOL],
    "serving": ["movies", *PROTOCOL],
    "receiving": PROTOCOL,
    "importing": ["movies", *PROTOCOL],
    "movies": ["protocol/rtp", "protocol"],
    "protocol": [],
}
"""The folders of other parts that a part may import from, whatever the layer."""

PROGRAMS = ""
"""The package's own folder: the commands. It may import everything."""

FOR_ALL = {
    *("rtplab.version", "rtplab.baresocket", "rtplab.clock"),
    *("rtplab.console", "rtplab.commandline"),
}
"""The version, what scripts use as sockets, how a program waits and prints: nothing of ours."""


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    files = [*(ROOT / f"{name}.py" for name in CLASSIC), *(ROOT / "rtplab").rglob("*.py")]
    return {name_of(path): path for path in files}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = modules()


def folder_of(module: str) -> str:
    """The folder of a module of rtplab, from the package's top; "" for the top itself."""
    return MODULES[module].parent.relative_to(ROOT / "rtplab").as_posix().removeprefix(".")


@cache
def imports_of(path: Path) -> tuple[tuple[str, bool], ...]:
    """Each imported module, submodules named by `from package import module` included.

    The second value tells if the import stands inside a function.
    """

    def visit(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        lazy = lazy or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.Import):
            yield from ((alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports name the whole way"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield (submodule if submodule in MODULES else node.module), lazy
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy)

    return tuple(visit(ast.parse(path.read_text(encoding="utf-8")), lazy=False))


def roots_of(path: Path) -> set[str]:
    """The imported modules and packages, each by the first part of its name."""
    return {name.partition(".")[0] for name, _ in imports_of(path)}


def own_imports(module: str) -> set[str]:
    return {name for name, _ in imports_of(MODULES[module]) if name in MODULES} - {module}


def importable_from(folder: str) -> set[str]:
    """The folders that a module of this one may import from."""
    if folder == PROGRAMS:
        return {*map(folder_of, PACKAGE)}
    part = folder.partition("/")[0]
    layers = LAYERS[part]
    (own,) = (number for number, layer in enumerate(layers) if folder in layer)
    below = [other for layer in layers[own + 1 :] for other in layer]
    return {folder, *below, *STANDS_ON[part]}


PACKAGE = sorted(name for name in MODULES if name.startswith("rtplab."))


def test_every_folder_has_its_layer() -> None:
    known = [folder for part in LAYERS.values() for layer in part for folder in layer]
    assert sorted(known) == sorted({folder_of(name) for name in PACKAGE} - {PROGRAMS})


def test_the_document_has_a_row_for_every_folder() -> None:
    """What is below `grading/inside` is not ours to import, and stands in that folder's row."""
    document = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z/]+)` \|", document, re.MULTILINE)
    documented = [row for row in rows if row.partition("/")[0] in LAYERS]
    folders = [folder for part in LAYERS.values() for layer in part for folder in layer]
    without_rows = {"serving"} | {name for name in folders if name.startswith("grading/inside/")}
    assert sorted(documented) == sorted(set(folders) - without_rows)


def test_imports_go_down() -> None:
    for module in PACKAGE:
        allowed = importable_from(folder_of(module))
        up = {other for other in own_imports(module) - FOR_ALL if folder_of(other) not in allowed}
        assert not up, module


@pytest.mark.parametrize("module", sorted(FOR_ALL))
def test_what_all_may_import_imports_nothing_of_ours(module: str) -> None:
    assert not own_imports(module)


def test_the_package_stands_without_the_classic_files() -> None:
    for module in ("rtplab", *PACKAGE):
        assert not CLASSIC & {name for name, _ in imports_of(MODULES[module])}, module


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: own_imports(name) for name in MODULES}
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in leaves}
    assert not {name: needs & graph.keys() for name, needs in graph.items()}


def test_tkinter_is_the_window_s_alone() -> None:
    for name, path in MODULES.items():
        if {"tkinter", "_tkinter"} & roots_of(path) and name != "rtplab.launcher":
            in_player = name.startswith("rtplab.player.") and folder_of(name) != "player/model"
            assert in_player or name.startswith("rtplab.grading.inside."), name


def test_protocol_is_bytes_and_objects_alone() -> None:
    """No socket, no thread, no clock, no file."""
    shell = {"socket", "socketserver", "selectors", "select", "threading", "queue", "asyncio"}
    shell |= {"time", "datetime", "sched", "subprocess", "os", "io", "pathlib", "PIL"}
    for name in PACKAGE:
        if name.startswith("rtplab.protocol"):
            assert not shell & roots_of(MODULES[name]), name


def test_pillow_is_the_only_run_time_dependency() -> None:
    known = CLASSIC | {"rtplab"} | set(sys.stdlib_module_names) | RUNTIME_DEPENDENCIES
    for name, path in MODULES.items():
        for module, lazy in imports_of(path):
            root = module.partition(".")[0]
            assert root in known or (lazy and root in OPTIONAL), f"{name} imports {module}"


def test_every_module_says_what_it_is_for() -> None:
    for name, path in MODULES.items():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name
