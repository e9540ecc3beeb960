"""A disk that is full after a few frames."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = 128  # KiB: some ten frames


@dataclass(frozen=True)
class SmallDisk:
    """A folder in which there is little room; for programs that `prefix` starts."""

    folder: Path
    prefix: tuple[str, ...]
    words: str  # of the system, when nothing fits any more


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """A file system of its own where we may mount one, else files that may not grow."""
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}k", "tmpfs", str(folder))
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        # ulimit counts blocks of 512 bytes.
        limit = ("sh", "-c", f'ulimit -f {2 * SIZE} && exec "$0" "$@"')
        yield SmallDisk(folder, limit, "File too large")
        return
    try:
        yield SmallDisk(folder, (), "No space left on device")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
