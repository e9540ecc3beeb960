"""The virtual environment .venv: made once, filled group by group, then left alone.

Stamps in it note which interpreter made it and which requirements each group got. A different
interpreter makes it again; changed requirements are installed again.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NPM = VENV / "npm"
NODE_MODULES = NPM / "node_modules"


def base_python() -> str:
    """The interpreter outside of any virtual environment."""
    return str(getattr(sys, "_base_executable", sys.executable))


def requirements(group: str, pyproject: str) -> list[str]:
    """A list of requirements from the text of pyproject.toml.

    It must be a list of plain strings, which Python reads as TOML does: the standard library has
    no TOML reader before 3.11, and pip can't install the dependencies alone.
    """
    found = re.search(rf"^{group} = (\[.*?\])$", pyproject, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"no group {group} in pyproject.toml")
    return [str(requirement) for requirement in ast.literal_eval(found[1])]


def is_made() -> bool:
    """Whether .venv is there, works, and was made by this very interpreter."""
    return PYTHON.exists() and _read(_stamp("interpreter")) == _interpreter()


def make() -> bool:
    """Recreate .venv; tell if that worked."""
    command = [base_python(), "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        return False
    _stamp("interpreter").write_text(_interpreter(), encoding="utf-8")
    return True


def install(group: str, *options: str) -> bool:
    """Install a group of requirements, unless it is there; tell if it is there now."""
    wanted = requirements(group, (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    stamp = _stamp(group)
    if _read(stamp) == "\n".join(wanted):
        return True
    print("Installing into .venv:", *wanted, flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *options, *wanted], stdin=subprocess.DEVNULL).returncode:
        return False
    stamp.write_text("\n".join(wanted), encoding="utf-8")
    return True


def install_from_npm() -> bool:
    """Install the packages of tests/interop/package.json, unless there; tell if they are there now.

    Scripts of these packages are not run. The versions of their own dependencies are not fixed.
    """
    wanted = (ROOT / "tests/interop/package.json").read_text(encoding="utf-8")
    stamp = _stamp("npm")
    if _read(stamp) == wanted:
        return True
    npm = shutil.which("npm")
    if npm is None:
        return False
    print("Installing into .venv with npm:", *json.loads(wanted)["dependencies"], flush=True)
    NPM.mkdir(exist_ok=True)
    (NPM / "package.json").write_text(wanted, encoding="utf-8")
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    command = [npm, "install", "--prefix", str(NPM), *options]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        return False
    stamp.write_text(wanted, encoding="utf-8")
    return True


def _stamp(name: str) -> Path:
    return VENV / f"{name}.stamp"


def _read(stamp: Path) -> str:
    return stamp.read_text(encoding="utf-8") if stamp.exists() else ""


def _interpreter() -> str:
    return f"{base_python()}\n{sys.version}"
