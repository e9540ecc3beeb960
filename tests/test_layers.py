"""The layers of the package (docs/ARCHITECTURE.md): who may import what.

Every import counts: those inside functions and those for the type checker alone, too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from movies import ROOT

CLASSIC = {"Server", "ServerWorker", "Client", "ClientLauncher", "RtpPacket", "VideoStream"}
RUNTIME_DEPENDENCIES = {"PIL"}
OPTIONAL = {"prometheus_client"}
"""For --metrics: imported inside a function, when that is asked for."""

LAYERS = {
    "": ["*"],
    "player": ["player/panel", "player/controls", "player/picture", "player/look", "player/model"],
    "player/panel": ["player/controls", "player/look", "player/model"],
    "player/controls": ["player/look", "player/model"],
    "player/picture": ["player/look", "player/model"],
    "player/look": [],
    "player/model": [],
    "serving/process": ["serving/scaling", "serving/rtsp", "serving/rtp", "serving/media"],
    "serving/scaling": ["serving/rtsp", "serving/rtp", "serving/media"],
    "serving/rtsp": ["serving/rtp", "serving/media"],
    "serving/rtp": ["serving/media"],
    "serving/media": [],
    "serving/admission": [],
    "receiving": ["receiving/rtsp", "receiving/rtp", "receiving/files"],
    "receiving/rtsp": ["receiving/rtp", "receiving/files"],
    "receiving/rtp": ["receiving/files"],
    "receiving/files": [],
    "movies": [],
    "protocol/rtsp": ["protocol/rtp", "protocol"],
    "protocol/rtp": ["protocol"],
    "protocol": [],
}
"""Each folder of rtplab with the folders that it may import besides itself and GROUND."""

GROUND = {
    "player": {"receiving/rtsp", "receiving/rtp", "receiving/files", "protocol"},
    "serving": {"serving/admission", "movies", "protocol"},
    "receiving": {"protocol"},
    "movies": {"protocol/rtp", "protocol"},
}
"""What all folders of a part may import; `protocol` with all that is in it but for movies."""


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


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
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

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), lazy=False)


def own_imports(module: str) -> set[str]:
    return {name for name, _ in imports_of(MODULES[module]) if name in MODULES} - {module}


def may_import(folder: str, other: str) -> bool:
    if folder == other or LAYERS[folder] == ["*"]:
        return True
    ground = GROUND.get(folder.partition("/")[0], set())
    if "protocol" in ground and folder != "movies" and other.startswith("protocol/"):
        return True
    return other in LAYERS[folder] or other in ground


PACKAGE = sorted(name for name in MODULES if name.startswith("rtplab."))


def test_every_folder_is_a_layer_that_is_known() -> None:
    folders = {folder_of(name) for name in PACKAGE}
    bare = {"serving"}  # it has nothing but its docstring
    assert folders - bare == set(LAYERS)


@pytest.mark.parametrize("module", PACKAGE)
def test_imports_go_down(module: str) -> None:
    folder = folder_of(module)
    up = {other for other in own_imports(module) if not may_import(folder, folder_of(other))}
    assert not up


@pytest.mark.parametrize("module", ["rtplab", *PACKAGE])
def test_the_package_stands_without_the_classic_files(module: str) -> None:
    assert not CLASSIC & {name for name, _ in imports_of(MODULES[module])}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: own_imports(name) for name in MODULES}
    while leaves := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in leaves}
    assert not graph


def test_tkinter_is_the_window_s_alone() -> None:
    tk = {"tkinter", "_tkinter"}
    users = {
        name
        for name, path in MODULES.items()
        if any(module.partition(".")[0] in tk for module, _ in imports_of(path))
    }
    beyond = {name for name in users if not name.startswith("rtplab.player.")}
    assert beyond <= {"rtplab.launcher", "ClientLauncher"}  # they open the first window
    assert not {name for name in users if name.startswith("rtplab.player.model")}


def test_protocol_is_bytes_and_objects_alone() -> None:
    """No socket, no thread, no clock, no file."""
    shell = {"socket", "socketserver", "selectors", "select", "threading", "queue", "asyncio"}
    shell |= {"time", "datetime", "sched", "subprocess", "os", "PIL"}
    for name in PACKAGE:
        if name.startswith("rtplab.protocol"):
            roots = {module.partition(".")[0] for module, _ in imports_of(MODULES[name])}
            assert not shell & roots, name


def test_pillow_is_the_only_run_time_dependency() -> None:
    known = CLASSIC | {"rtplab"} | set(sys.stdlib_module_names) | RUNTIME_DEPENDENCIES
    for name, path in MODULES.items():
        for module, lazy in imports_of(path):
            root = module.partition(".")[0]
            assert root in known or (lazy and root in OPTIONAL), f"{name} imports {module}"


def test_every_module_says_what_it_is_for() -> None:
    for name, path in MODULES.items():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name
