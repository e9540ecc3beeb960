"""Has the C library keep the memory of one picture for the next."""

from __future__ import annotations

import ctypes

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# Bytes that stay with the process when they are freed: a 1080p picture is there three times over,
# decoded, handed over and being drawn, with 8 MB each.
_KEPT = 64 * 1024 * 1024
_LARGEST_KEPT_PIECE = 32 * 1024 * 1024  # bytes; glibc allows no more


def keep_freed_memory() -> None:
    """Let what is freed be used again, where the C library is glibc; elsewhere do nothing.

    Otherwise glibc returns a large piece to the system with every picture and takes it back,
    page by page, with the next: at 1080p that costs more than to decode.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_PIECE)
