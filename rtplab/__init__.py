"""RTSP and RTP for JPEG pictures: play from any server, and be one, in a few lines.

    for frame in rtplab.play("rtsp://host/movie"):
        frame.jpeg, frame.number, frame.time, frame.image()

    with rtplab.serve(port=5678, media="movies") as server:
        cam = server.publish("cam", fps=25)
        cam.send(picture)

What is named in `__all__` is public, and docs/LIBRARY.md describes it. Everything else in the
package is internal and may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtplab.version import __version__

if TYPE_CHECKING:
    from rtplab.api import (
        Frames,
        PlayedFrame,
        PlayError,
        Publication,
        ServeError,
        Serving,
        play,
        serve,
    )

__all__ = [
    "__version__",
    "Frames",
    "PlayedFrame",
    "PlayError",
    "Publication",
    "ServeError",
    "Serving",
    "play",
    "serve",
]


def __getattr__(name: str) -> Any:
    """Import the library when it is first used: the programs start sooner without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rtplab import api

    return getattr(api, name)
