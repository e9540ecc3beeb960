"""The hook for clients in Java: compiled here, and loaded by the Java that runs a submission."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "inside" / "java" / "RtplabHook.java"
COMPILE_LIMIT = 60.0  # seconds; it takes two of an idle machine
SMALL = (
    "-Xmx256m -XX:ReservedCodeCacheSize=64m -XX:CompressedClassSpaceSize=64m"
    " -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
)
"""Room enough for a player of small pictures; Java asks for a part of all memory otherwise. It
compiles little, as a run of seconds is too short to profit by more."""
MANIFEST = "Manifest-Version: 1.0\r\nPremain-Class: RtplabHook\r\n\r\n"


def java_environment(inside: Path, port: str = "") -> dict[str, str]:
    """The environment that keeps Java small and, with a port, loads the hook from `inside`.

    Without a compiler for Java there is no hook, and no button can be pressed.
    """
    jar = _jar() if port else b""
    if not jar:
        return {"JAVA_TOOL_OPTIONS": SMALL}
    path = inside / "hook.jar"
    path.write_bytes(jar)
    path.chmod(0o644)
    return {"JAVA_TOOL_OPTIONS": f"{SMALL} -javaagent:{path}={port}"}


@functools.cache
def _jar() -> bytes:
    """The compiled hook; b"" if it can't be compiled here."""
    if shutil.which("javac") is None:
        return b""
    with tempfile.TemporaryDirectory(prefix="grade-hook-") as folder:
        command = ["javac", "-nowarn", "-d", folder, str(SOURCE)]
        try:
            done = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMPILE_LIMIT
            )
        except (OSError, subprocess.SubprocessError):
            return b""
        if done.returncode:
            return b""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", MANIFEST)
            for path in Path(folder).glob("*.class"):
                archive.write(path, path.name)
        return buffer.getvalue()
