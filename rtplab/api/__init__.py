"""The library: `play` a stream of any server, `serve` and `publish` one, from any thread.

This is the package's public interface for other programs; docs/LIBRARY.md describes it. Both
sides use the same engines as the commands.
"""

from rtplab.api.playing import Frames, PlayedFrame, PlayError, play
from rtplab.api.serving import Publication, ServeError, Serving, serve

__all__ = [
    "Frames",
    "PlayedFrame",
    "PlayError",
    "Publication",
    "ServeError",
    "Serving",
    "play",
    "serve",
]
