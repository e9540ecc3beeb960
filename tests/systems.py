"""What not every system has: the marks of tests that need it, with their reasons."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from contextlib import suppress

import pytest

HAS_LINKS = sys.platform != "win32"
needs_links = pytest.mark.skipif(
    not HAS_LINKS, reason="Windows lets administrators alone make symbolic links"
)
needs_open_files_replaced = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows lets nobody replace or delete a file that is open"
)
needs_names_by_case = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="here two names that differ by case are one"
)

needs_backslash_in_names = pytest.mark.skipif(
    sys.platform == "win32", reason="on Windows a backslash is no part of a name"
)

needs_named_pipes = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="named pipes are no files on Windows"
)
needs_names_of_any_bytes = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="here names are Unicode"
)
needs_any_name = pytest.mark.skipif(
    sys.platform == "win32", reason="on Windows no name has line ends, quotes or < and >"
)
needs_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows sends no program SIGINT or SIGTERM"
)
needs_shell = pytest.mark.skipif(
    sys.platform == "win32", reason="these platforms run shell scripts, which Windows does not"
)
needs_workers = pytest.mark.skipif(
    sys.platform == "win32", reason="on Windows no two processes share a port (--workers)"
)
needs_loopback_network = pytest.mark.skipif(
    sys.platform != "linux",
    reason="on macOS 127.0.0.1 is the only loopback address, and what Wine sends comes from there",
)
needs_small_buffers = pytest.mark.skipif(
    not hasattr(socket, "TCP_NOTSENT_LOWAT"),
    reason="Windows takes megabytes that nobody reads: nothing waits in our own queue",
)
needs_true_addresses = pytest.mark.skipif(
    sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version"),
    reason="Wine binds sockets to addresses that the machine does not have",
)
needs_full_disk = pytest.mark.skipif(
    sys.platform == "win32" or not os.path.exists("/dev/full"), reason="there is no /dev/full"
)
needs_linux_root = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0,
    reason="only root of a Linux makes networks and starts programs of other users",
)


def end_listening(listener: socket.socket) -> None:
    """Close a listening socket, and wake the thread that waits for a client of it."""
    with suppress(OSError):  # Windows and macOS can't shut it down
        listener.shutdown(socket.SHUT_RDWR)
    if sys.platform != "linux":
        with suppress(OSError):
            socket.create_connection(listener.getsockname()[:2], 1).close()
    listener.close()
