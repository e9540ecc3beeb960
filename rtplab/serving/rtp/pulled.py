"""Live streams fetched from another server while someone watches here.

    a camera -> fetch, in the thread "pull" -> LiveStream.show -> all who watch

Serving knows no client: the program passes a callable that fetches a stream. The fetch begins with
the first viewer who asks for the stream and waits for its first picture, and ends some seconds
after the last has gone. A stream that is lost is fetched again, after longer and longer pauses.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rtplab.clock import steady
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.livepicture import LivePicture
from rtplab.serving.rtp.live import MAX_PICTURE, LiveStream
from rtplab.serving.rtp.livestreams import LiveStreams

DEFAULT_FPS = 25.0  # until the other server states it
# Seconds for which a viewer waits for the first picture: players, including ours, give up after
# five. The fetch goes on, so a client that asks again may find it.
FIRST_PICTURE = 4.5
# Seconds without a viewer until the fetch ends: a viewer who returns by then finds it running.
IDLE = 5.0
# Seconds before each further attempt; the last is repeated.
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
# Seconds to the next attempt for which a viewer waits; before a longer pause it is told at once.
SOON = 2.0
# Bytes per second, and at once, that are forwarded from one source: as for a publisher.
MAX_RATE = 25_000_000
END_TIMEOUT = 2.0  # seconds that a fetch gets to end when the server shuts down

# Takes each picture, a JPEG, and the number of pictures per second if known.
Show = Callable[[bytes, "float | None"], None]
# Fetches a stream in the calling thread until it is lost, or until the second argument says that it
# is no longer wanted. Returns why it was lost, as a sentence.
Fetch = Callable[[Show, Callable[[], bool]], str]

logger = logging.getLogger("rtplab.live")


def pull(streams: LiveStreams, name: str, fetch: Fetch, wait: float) -> PulledStream:
    """Add a stream that is fetched while it is watched.

    Its viewers are kept for `wait` seconds when it is lost. Raises ValueError if there is one of
    this name already.
    """
    return streams.add(
        name, lambda: PulledStream(name, streams.max_payload, streams.cname, fetch, wait)
    )


class PulledStream(LiveStream):
    """A stream that is always listed, and fetched while someone asks for it.

    It has more attributes than other classes: one lock guards when it is to be fetched, and those
    of a LiveStream.
    """

    def __init__(
        self, name: str, max_payload: int, cname: str, fetch: Fetch, wait: float = 0.0
    ) -> None:
        super().__init__(name, DEFAULT_FPS, max_payload, cname)
        self._fetch = fetch
        self._wait_for_source = wait
        # Guarded like all attributes of a LiveStream.
        self._wanted_until = 0.0
        self._problem = ""  # why no picture has come
        self._failures = 0  # in a row
        self._next_attempt = 0.0
        self._lost_at: float | None = None  # set only if it had shown a picture
        self._budget, self._counted_at = float(MAX_RATE), 0.0
        self._puller = threading.Thread(target=self._pull, name="pull", daemon=True)
        self._puller.start()

    # ------------------------------------------------------------------ for viewers

    def prepare(self) -> None:
        """Start the fetch, and wait for the first picture. Raises MessageError 503 or 504."""
        self.picture()

    def picture(self, timeout: float = FIRST_PICTURE) -> LivePicture | None:
        """Return the newest picture; start the fetch, and wait for the first one.

        Raises MessageError 503 if there is none, 504 if none arrives in time.
        """
        with self._changed:
            now = steady()
            self._wanted_until = max(self._wanted_until, now + max(IDLE, timeout))
            if self._newest is None and self._next_attempt - now <= SOON:
                self._problem = ""
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._newest is not None or self._is_closed or self._problem, timeout
            )
            name = printable(self.name, 60)
            if self._newest is None and self._problem:
                raise MessageError(f"{name} can't be fetched: {self._problem}", 503)
            self._wanted_until = max(self._wanted_until, steady() + IDLE)
            if self._newest is None:
                raise MessageError(f"no picture of {name} has come in {timeout:g} s", 504)
            return self._newest

    def close(self) -> None:
        """Tell all viewers of the end, and stop fetching. May be called twice."""
        super().close()
        if self._puller is not threading.current_thread():
            self._puller.join(END_TIMEOUT)

    # ------------------------------------------------------------------ the thread

    def _pull(self) -> None:
        name = printable(self.name, 80)
        while self._waits_until_wanted():
            logger.info("%s: fetching started", name)
            try:
                why = self._fetch(self._show_pulled, self._is_wanted)
            except Exception:
                logger.exception("%s can't be fetched: internal error", name)
                why = "internal error in the server"
            if self._is_wanted():
                logger.warning("%s is lost: %s", name, why)
                self._lose(why)
            else:
                logger.info("%s: fetching stopped", name)
                self._forget()

    def _waits_until_wanted(self) -> bool:
        """Wait until a fetch is needed; False once the stream is closed."""
        with self._changed:
            while not self._is_closed:
                now = steady()
                is_kept = self._lost_at is not None  # its viewers wait for it
                if is_kept and now >= (self._lost_at or 0.0) + self._wait_for_source:
                    self._give_up()
                    continue
                if self._is_wanted() and now >= self._next_attempt:
                    self._problem = ""
                    return True
                moments = [self._next_attempt] if self._is_wanted() else []
                moments += [(self._lost_at or 0.0) + self._wait_for_source] if is_kept else []
                self._changed.wait(max(0.01, min(moments) - now) if moments else None)
            return False

    def _is_wanted(self) -> bool:
        """Tell if someone watches, or has just asked for it."""
        with self._changed:
            now = steady()
            if self.viewers:
                self._wanted_until = now + IDLE
            return not self._is_closed and now < self._wanted_until

    def _show_pulled(self, picture: bytes, fps: float | None) -> None:
        """Show a picture, unless it is too large or there are too many."""
        with self._changed:
            now = steady()
            earned = (now - self._counted_at) * MAX_RATE
            self._budget, self._counted_at = min(float(MAX_RATE), self._budget + earned), now
            if len(picture) > min(MAX_PICTURE, self._budget):
                self.skipped += 1
                return
            self._budget -= len(picture)
            self._failures, self._lost_at, self._problem = 0, None, ""
            if fps:
                self.fps = min(fps, 1000.0)
            self.show(lambda: picture)

    def _lose(self, why: str) -> None:
        """Note that the stream was lost or could not be fetched; try again after a pause."""
        with self._changed:
            now = steady()
            if self._newest is not None:
                self._lost_at = now
                self._clear()
            self._next_attempt = now + PAUSES[min(self._failures, len(PAUSES) - 1)]
            self._failures += 1
            self._problem = why.rstrip(".")
            if self._lost_at is None and not self.viewers:
                self._wanted_until = 0.0  # clients that asked are told, and may ask again
            self._changed.notify_all()

    def _give_up(self) -> None:
        """Tell the viewers that it is over: it did not come back in time."""
        self._lost_at = None
        self._wanted_until = 0.0
        self._dismiss()

    def _forget(self) -> None:
        """Forget the picture when nobody watches: the next viewer must not see an old one."""
        with self._changed:
            self._lost_at, self._problem, self._failures = None, "", 0
            self._clear()

    def _clear(self) -> None:
        self._newest = None
        self._waiting.clear()
        for channel in self._all_channels():
            channel.fan_out.frames.clear()
