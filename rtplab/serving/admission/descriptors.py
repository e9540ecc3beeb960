"""The number of files and sockets the process may have open."""

from __future__ import annotations

import errno
import math

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

MACOS_MAX = 10_240  # macOS says "unlimited" and then refuses more than this (its OPEN_MAX)
# Reserved for clients already connected, not for new ones: two sockets each for UDP, a movie.
RESERVE = 16

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def raise_descriptor_limit() -> None:
    """Raise the limit as far as the system allows: a viewer takes up to three, a movie one.

    By default, programs get a soft limit of 1,024, or 256 on macOS.
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, MACOS_MAX):
        try:
            if wanted != soft:
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return
        except (ValueError, OSError):
            continue  # keep the present limit


def most_descriptors() -> float:
    """Return how many the process may have open; infinity if unknown."""
    if resource is None:
        return math.inf
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft


def is_resource_exhaustion(error: OSError) -> bool:
    """Tell if something failed because descriptors or memory have run out."""
    return error.errno in _EXHAUSTED
