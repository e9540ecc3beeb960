"""The live streams of a server: which names are taken, and by whom they may be taken over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.rtp.live import LiveStream

_Stream = TypeVar("_Stream", bound="LiveStream")


class LiveStreams:
    """The live streams of a server by their names. For all threads."""

    def __init__(self, max_payload: int, cname: str) -> None:
        """`max_payload` bounds a packet's payload in bytes; `cname` is our name in RTCP."""
        self.max_payload = max_payload
        self.cname = cname
        self._lock = threading.Lock()  # guards the attributes below
        self._streams: dict[str, LiveStream] = {}

    def publish(self, name: str, fps: float) -> LiveStream:
        """Begin a stream of `fps` pictures a second. Raises ValueError if the name is taken."""
        return self.add(name, lambda: self._begin(name, fps))

    def add(self, name: str, make: Callable[[], _Stream]) -> _Stream:
        """Add the stream that `make` returns. Raises ValueError if the name is taken."""
        with self._lock:
            if name in self._streams and not self._streams[name].is_closed:
                raise ValueError(f"{printable(name, 80)!r} is already being published")
            stream = make()
            self._streams[name] = stream
            return stream

    def take_over(
        self, name: str, fps: float, owner: str | None, taken_over: Callable[[], None]
    ) -> LiveStream:
        """Begin a stream, or continue one: the same `owner`'s or, without users, one that nobody
        publishes at the moment. The last producer's own `taken_over` is called.

        Raises MessageError 403 when somebody else publishes it.
        """
        with self._lock:
            stream = self._streams.get(name)
            if stream is None or stream.is_closed:
                stream = self._begin(name, fps)
                stream.owner = owner
                self._streams[name] = stream
            elif not stream.may_be_taken_over(owner):
                raise MessageError(
                    f"{printable(name, 60)} is published by somebody else: use another name", 403
                )
        stream.take_over(taken_over)
        return stream

    def find(self, name: str) -> LiveStream | None:
        """Return the running stream of this name, if any."""
        with self._lock:
            stream = self._streams.get(name)
            return None if stream is None or stream.is_closed else stream

    def _begin(self, name: str, fps: float) -> LiveStream:
        return LiveStream(name, fps, self.max_payload, self.cname, self._forget)

    def _forget(self, stream: LiveStream) -> None:
        """Let go of a stream that has ended: its last pictures take as much as a viewer."""
        with self._lock:
            if self._streams.get(stream.name) is stream:
                del self._streams[stream.name]

    def names(self) -> list[str]:
        """Return the names of all running streams, in alphabetical order."""
        with self._lock:
            return sorted(name for name, one in self._streams.items() if not one.is_closed)

    def close(self) -> None:
        """End all streams. May be called twice."""
        with self._lock:
            streams = list(self._streams.values())
            self._streams.clear()
        for stream in streams:
            stream.close()
