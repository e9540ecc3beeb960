"""The HTTP client: requests a camera's pictures, and hands them on as an RtspClient does.

HTTP has no sessions, so connections take the place of its states: SETUP sends the request, and
READY means that the camera has promised pictures. While the client is paused there is no connection
at all: many cameras serve one viewer at a time, and nobody wants to see old pictures later.
"""

from __future__ import annotations

import logging
import threading

from rtplab.clock import steady
from rtplab.protocol.errors import ConnectionLost, SessionError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.states import END, State, transition
from rtplab.receiving.files.capture import Endpoints
from rtplab.receiving.http.fetch import PictureFetch, StreamEnded
from rtplab.receiving.http.reception import PictureReception
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.impairment import Conditions, Impairment
from rtplab.receiving.rtp.rtpsocket import Clock
from rtplab.receiving.rtsp.login import LoginNeeded, PasswordInTheOpen
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.streamclient import THE_END, StreamClient
from rtplab.receiving.rtsp.watch import GAPS, TimeLimits

# Seconds for which a stream waits for PLAY after SETUP before its connection is closed.
READY_TIME = 1.0

logger = logging.getLogger("rtplab.client")


class HttpClient(StreamClient):
    """One stream of one camera.

    It can take the place of an RtspClient in a window, without one, and in the library.
    """

    scale = 1.0  # a camera has one speed

    def __init__(
        self,
        source: MovieSource,
        for_window: bool = False,
        limits: TimeLimits | None = None,
        clock: Clock = steady,
    ) -> None:
        """Play `source`. With `for_window` frames wait in `playout` until they are due."""
        super().__init__(source, for_window, limits, clock, threading.Condition(threading.RLock()))
        self.impairment = Impairment(Conditions())  # unused: impairment applies to RTP only
        self.reception = PictureReception()
        self.first_frame_delay: float | None = None
        # `_changed` guards the attributes below, too.
        self._fetch: PictureFetch | None = None  # the connection whose pictures are wanted
        self._is_opening = False  # we are waiting for its answer
        self._ends: Endpoints | None = None  # of the last connection
        self._wants_to_play = False
        self._asked_at = 0.0  # when PLAY was requested
        self._threads: list[threading.Thread] = []

    # ------------------------------------------------------------------ the user's commands

    def set_up(self) -> None:
        """Ask the camera for its pictures. Only in INIT."""
        with self._changed:
            if self.state is State.INIT and not self.is_waiting():
                self.needs_password = self.needs_basic = self.ended = False
                self.error = self.notice = ""
                self._forgiveness = Forgiveness(self._forgave)
                self.reception = PictureReception()
                self.first_frame_delay = None
                self.playout.clear()
                self._wants_to_play = False
                self._begin()

    def play_movie(self) -> None:
        """Show the frames that arrive; after a pause, request the stream again. Only in READY."""
        with self._changed:
            if self.state is State.READY and not self.is_waiting():
                self._wants_to_play = True
                self._asked_at = self._clock()
                self.first_frame_delay = None
                if self._fetch is None:
                    self.playout.clear()
                    self._begin()
                else:
                    self._succeed()

    def pause_movie(self) -> None:
        """Hang up until PLAY. Only in PLAYING."""
        with self._changed:
            if self.state is State.PLAYING:
                self._stop()
                self.state = transition(self.state, "PAUSE")

    def tear_down(self) -> None:
        """End the session and free its resources; in a window without waiting for that."""
        with self._changed:
            self._stop()
            self.state = State.INIT
        if not self.for_window:
            self.close()

    def close(self) -> None:
        """End all threads and free all sockets. May be called twice."""
        with self._changed:
            self._stop()
            self.state = State.INIT
            threads = [one for one in self._threads if one is not threading.current_thread()]
        for thread in threads:
            thread.join()

    def seek(self, seconds: float) -> None:
        """Do nothing: a live camera has no other position."""

    def set_speed(self, scale: float) -> None:
        """Do nothing: a camera has one speed."""

    def set_latency(self, seconds: float) -> None:
        """Set how many seconds frames wait before they are shown."""
        self.playout.latency = seconds

    def _stop(self) -> None:
        fetch, self._fetch = self._fetch, None
        self._is_opening = False
        if fetch is not None:
            fetch.hang_up()
        self.reception.paused()
        self._changed.notify_all()

    # ------------------------------------------------------------------ the thread

    def _begin(self) -> None:
        """Start a thread that gets the pictures."""
        fetch = PictureFetch(
            self._source, self._limits, self._clock, self._forgiveness, lambda: self.observer
        )
        thread = threading.Thread(target=self._run, args=(fetch,), name="http")
        self._threads = [one for one in self._threads if one.is_alive()]
        self._fetch, self._is_opening = fetch, True
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.remove(thread)
            self._fetch, self._is_opening = None, False
            why = f"Can't start a thread ({error}): close other programs, then try again."
            self._fail(why)

    def _run(self, fetch: PictureFetch) -> None:
        try:
            fetch.open()
            with self._changed:
                if self._fetch is fetch:
                    self._is_opening = False
                    self._succeed()
            if self._waits_for_play(fetch):
                self._receive(fetch)
        except StreamEnded:
            self._movie_ended(fetch)
        except SessionError as error:
            self._lose(fetch, error)
        except BaseException as error:  # any error: it would be reported nowhere else
            logger.exception("A client thread has failed.")
            why = printable(f"{type(error).__name__}: {error}", 80)
            failure = SessionError(
                f"Internal error in the player ({why}): press Setup to start again."
            )
            self._lose(fetch, failure)
        finally:
            fetch.close()

    def _succeed(self) -> None:
        """Note that the camera has promised pictures, or that they are wanted now."""
        self.error = self.notice = ""
        if self.state is State.INIT:
            self.state = transition(self.state, "SETUP")
        if self._wants_to_play:
            self.ended = False
            self.state = transition(self.state, "PLAY")
        self._changed.notify_all()

    def _waits_for_play(self, fetch: PictureFetch) -> bool:
        """Wait until the pictures are wanted; give up and return False if that takes too long."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._fetch is not fetch or self.state is State.PLAYING, READY_TIME
            )
            is_wanted = self._fetch is fetch and self.state is State.PLAYING
            if not is_wanted and self._fetch is fetch:
                self._fetch = None
            return is_wanted

    def _receive(self, fetch: PictureFetch) -> None:
        """Take pictures as they come. Raises SessionError, StreamEnded."""
        silent_since = self._clock()
        while self._fetch is fetch:
            limit = self._silence_limit()
            deadline = silent_since + limit + (self._limits.loss if self.notice else 0.0)
            parts = fetch.receive(deadline)
            now = self._clock()
            for part in parts:
                frame = self.reception.receive(part, now)
                if frame is not None:
                    silent_since = now
                    self._take_frame(fetch, frame)
            if now >= deadline:
                self._report_silence(fetch, limit)

    def _silence_limit(self) -> float:
        """Return how many seconds may pass without a picture."""
        limits, gap = self._limits, self.reception.longest_gap
        return min(max(limits.silence, GAPS * gap), max(limits.silence, limits.longest_silence))

    def _report_silence(self, fetch: PictureFetch, limit: float) -> None:
        """Report a silence; after the second one the camera is lost. Raises SessionError."""
        problem = self.reception.problem
        if self.first_frame_delay is None:
            why = problem or "the camera may be busy with another viewer, or may have stopped"
            raise SessionError(f"No picture arrived within {limit:.3g} s: {why}.")
        if self.notice:
            raise ConnectionLost("The connection is lost: the camera has stopped sending.")
        with self._changed:
            if self._fetch is fetch:
                self.notice = f"No picture for {limit:.3g} s: the camera has stopped sending."
                if problem:
                    self.notice = f"No picture for {limit:.3g} s: {problem}."
                self._changed.notify_all()

    def _take_frame(self, fetch: PictureFetch, frame: Frame) -> None:
        """Hand a frame on to the window, and to the `on_frame` callback."""
        if self._fetch is not fetch:
            return
        self._hand_on(frame)
        with self._changed:
            if self._fetch is fetch:
                self.notice = self.error = ""
                if self.first_frame_delay is None:
                    self.first_frame_delay = frame.arrival - self._asked_at
                self._changed.notify_all()

    def _movie_ended(self, fetch: PictureFetch) -> None:
        """Note that the server has announced the end."""
        with self._changed:
            if self._fetch is fetch:
                self._fetch = None
                self.state = transition(self.state, END)
                self.ended, self.notice = True, THE_END
                self.reception.paused()
                self._changed.notify_all()

    def _lose(self, fetch: PictureFetch, error: SessionError) -> None:
        """End the session; SETUP can begin another."""
        with self._changed:
            if self._fetch is fetch:
                self._ends = fetch.endpoints or self._ends
                self._fetch, self._is_opening = None, False
                self.state = State.INIT
                self.needs_basic = isinstance(error, PasswordInTheOpen)
                self.needs_password = isinstance(error, LoginNeeded)
                self._fail(str(error), isinstance(error, ConnectionLost))

    # ------------------------------------------------------------------ what the user can ask

    @property
    def endpoints(self) -> Endpoints | None:
        """Both ends of the current or last connection; None before the first."""
        fetch = self._fetch
        if fetch is not None and fetch.endpoints is not None:
            self._ends = fetch.endpoints
        return self._ends

    @property
    def duration(self) -> float | None:
        """Unknown: there is no end."""
        return None

    @property
    def frame_rate(self) -> float | None:
        """Unknown: HTTP does not state it."""
        return None

    @property
    def seconds_left(self) -> float | None:
        """Unknown: there is no end."""
        return None

    def position_of(self, frame: Frame) -> float:
        """Return the seconds since the first frame."""
        return frame.media_time

    def is_waiting(self) -> bool:
        """Tell if the camera's answer is still awaited."""
        return self._is_opening
