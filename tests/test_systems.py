"""Every system can at least read the tests: what it lacks, the marks of tests then tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from movies import ROOT

POSIX = {
    *("fork", "getegid", "geteuid", "getgid", "getloadavg", "getuid", "killpg", "mkfifo", "uname"),
    *("sched_getaffinity", "sysconf", "SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "AF_UNIX"),
}
"""Names of os, signal and socket that Windows lacks, and that a test might think of."""


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """What Python runs when it reads a file: all but the bodies of functions."""
    yield node
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [*node.decorator_list, node.args]
    elif isinstance(node, ast.Lambda):
        parts = [node.args]
    else:
        parts = list(ast.iter_child_nodes(node))
    for part in parts:
        yield from evaluated(part)


def asked_for(path: Path) -> list[str]:
    nodes = evaluated(ast.parse(path.read_text(encoding="utf-8")))
    return [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}: {node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute) and node.attr in POSIX
    ]


def test_what_windows_lacks_is_asked_for_in_functions_alone() -> None:
    tests = {*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests").rglob("conftest.py")}
    assert len(tests) > 150
    assert [line for path in sorted(tests) for line in asked_for(path)] == []
