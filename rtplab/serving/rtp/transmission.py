"""One stream being sent: when its frames leave, and how it ends."""

from __future__ import annotations

import logging
import math
import socket
import threading
from collections.abc import Callable
from enum import Enum, auto

from rtplab.clock import steady
from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.errors import RtpLabError
from rtplab.protocol.rtp.rtcp import ReportBlock
from rtplab.protocol.rtsp.headers import Range
from rtplab.serving.media.feed import Feed
from rtplab.serving.media.playback import Playback
from rtplab.serving.rtp.delivery import PlayInfo
from rtplab.serving.rtp.frameclock import FrameClock
from rtplab.serving.rtp.pacer import Pacer, ScheduledStream
from rtplab.serving.rtp.reports import SenderReports, ViewerReports
from rtplab.serving.rtp.sinks import ViewerGone
from rtplab.serving.rtp.stream import RtpStream

# Seconds from the last frame to BYE, and between BYEs: a busy player may see RTCP
# before RTP that arrived earlier, and would never show the end.
BYE_DELAY = 0.5
# Number of BYEs if one may be lost: without it, ffmpeg and mpv wait until the session times out.
# Viewers who lose nothing get one: a BYE that they have not read by then would seem to end what
# they play next.
BYE_REPEATS = 3

logger = logging.getLogger("rtplab.server")


class _Phase(Enum):
    IDLE = auto()
    SENDING = auto()
    ENDED = auto()  # by itself, and not stopped since


class Transmission:
    """The sending of a movie to one viewer or one multicast group. It is a Delivery.

    Control threads start and stop it; the pacer makes it send. Only `prepare` blocks.

    It has more attributes than other classes: half are objects that do part of the work, and one
    lock guards the others.
    """

    def __init__(
        self,
        playback: Playback,
        feed: Feed,
        stream: RtpStream,
        pacer: Pacer,
        viewer: str,
        cname: str | None,
    ) -> None:
        """Send the frames of `feed` in the order of `playback`; close `feed` at the end.

        Without a `cname`, RTCP is not sent, as in the lab dialect; the log names `viewer`.
        """
        self.playback = playback
        self.stream = stream
        self._feed = feed
        self._pacer = pacer
        self._reports = SenderReports(stream, cname) if cname is not None else None
        self._viewer_reports = ViewerReports(viewer, stream.ssrc, self._reports)
        self._lock = threading.RLock()  # guards the attributes below, playback and stream
        self._phase = _Phase.IDLE
        self._clock: FrameClock | None = None  # while frames are being sent
        self._scheduled: ScheduledStream | None = None  # the next frame, or the next BYE
        self._ended: Callable[[bool], None] | None = None  # called at the end
        self._byes_left = 0
        self.goodbye_at = -math.inf  # when BYE was last said since the end; inf while it is due

    # ------------------------------------------------------------------ for PLAY and PAUSE

    @property
    def cursor(self) -> MovieCursor:
        """Its position in the movie."""
        return self.playback.cursor

    @property
    def has_ended(self) -> bool:
        """Tell if it has reached its end since it was started."""
        return self._phase is _Phase.ENDED

    @property
    def is_sending(self) -> bool:
        """Tell if frames are being sent."""
        return self._phase is _Phase.SENDING

    def select(self, span: Range, scale: float, speed: float) -> None:
        """Move to `span`, at this pace. Raises MessageError 457."""
        with self._lock:
            if span.start is None:
                self.playback.rewind_at_end()
            self.playback.select(span)
            self.playback.set_pace(scale, speed)

    def info(self) -> PlayInfo:
        """Return the rest to be played, and the next packet's sequence number and timestamp."""
        with self._lock:
            playback, stream = self.playback, self.stream
            return PlayInfo(
                playback.range,
                playback.scale,
                playback.speed,
                stream.sequence_number,
                stream.timestamp,
            )

    def prepare(self) -> None:
        """Read the next frames ahead, and convert those that need it.

        Raises MessageError 415 if that is impossible, 503 if nothing can be read.
        """
        self._feed.prepare(self.stream.sink.max_payload)

    def start(self, send: Callable[[], float | None], ended: Callable[[bool], None]) -> None:
        """Send the first frame now, and let the pacer call `send` for the others.

        The pacer's thread would have to wake up for the first one. Does nothing unless idle.
        `ended` is called at the end, with True if the viewer is gone.
        """
        if not self._begin(ended):
            return
        try:
            due = send()
            with self._lock:
                if due is not None and self.is_sending:  # it may have been stopped meanwhile
                    self._scheduled = self._pacer.add(send, due)
        except Exception:
            with self._lock:
                viewer = self._viewer_reports.viewer
                logger.exception("%s: sending stopped: internal error", viewer)
                tell = self._end()
            tell(False)

    def start_soon(self, send: Callable[[], float | None], ended: Callable[[bool], None]) -> None:
        """As `start`, but let the pacer send the first frame too."""
        with self._lock:
            if self._begin(ended):
                self._scheduled = self._pacer.add(send, steady())

    def _begin(self, ended: Callable[[bool], None]) -> bool:
        with self._lock:
            if self._phase is not _Phase.IDLE:
                return False
            self._phase, self._ended = _Phase.SENDING, ended
            self._clock = FrameClock(self.playback.interval, steady())
            return True

    def stop(self) -> None:
        """Stop sending after the rest of the current frame. May be called twice."""
        with self._lock:
            if self._phase is _Phase.IDLE:
                return
            was_sending = self.is_sending
            self._phase, self._ended = _Phase.IDLE, None
            self.goodbye_at = -math.inf
            self._unschedule()
            if was_sending:
                self._finish_frame()

    def close(self) -> None:
        """Stop, say BYE and free the sockets."""
        self.stop()
        try:
            self.say_goodbye()
        finally:
            self.stream.sink.close()
            self._feed.close()

    # ------------------------------------------------------------------ for the pacer

    def send_next(self) -> float | None:
        """Send the next frame, or a burst of one; return when the next is due.

        Return None when nothing follows: it has been stopped, or this was the end.
        """
        is_gone = False
        with self._lock:
            if self._phase is not _Phase.SENDING:
                return None
            viewer = self._viewer_reports.viewer
            try:
                due = self.send_due(steady())
                if due is not None:
                    return due
                logger.info("%s reached the end of the movie", viewer)
            except ViewerGone as error:
                logger.info("%s: sending stopped: %s", viewer, error)
                is_gone = True
            except (RtpLabError, OSError) as error:
                logger.warning("%s: sending stopped: %s", viewer, error)
            except Exception:
                logger.exception("%s: sending stopped: internal error", viewer)
            tell = self._end()
        tell(is_gone)  # without our lock: the callee takes one too
        return None

    def send_due(self, now: float) -> float | None:
        """Send a frame, or a burst of one, and a sender report if one is due; under the lock.

        Return when the next frame is due; None at the end. Raises MovieError, ViewerGone.
        """
        assert self._clock is not None
        stream = self.stream
        if not stream.is_within_frame and not self._begin_frame(self._clock, now):
            return None
        share = stream.send_burst()
        if self._reports is not None:
            self._reports.send_if_due(now)
        return self._clock.next_due(now, share)

    def _begin_frame(self, clock: FrameClock, now: float) -> bool:
        """Take the next frame that is not too late; False if there is none."""
        missed = clock.missed(now)
        if missed:  # skip as many frames, or as many as are left
            skipped = sum(self.playback.advance() is not None for _ in range(missed))
            if skipped:
                self.stream.skip(skipped * self.playback.frame_duration)
                self._pacer.log_skipped(skipped)
        number = self.playback.advance()
        if number is None:
            return False
        payloads = self._feed.frame(number, self.stream.sink.max_payload)
        if payloads is None:
            self._pacer.log_skipped(1, self._feed.why_missing)
        self.stream.begin_frame(payloads or [], self.playback.frame_duration, now)
        return True

    # ------------------------------------------------------------------ the end

    def _end(self) -> Callable[[bool], None]:
        """Schedule BYE; return the callable to tell of the end. Call with the lock held."""
        tell, self._ended = self._ended or _tell_nobody, None
        self._phase = _Phase.ENDED
        self._unschedule()
        self._finish_frame()
        if self._reports is not None:
            may_be_lost = self.stream.sink.is_lossy and self._viewer_reports.may_lose_packets
            self._byes_left = BYE_REPEATS if may_be_lost else 1
            farewell = steady() + BYE_DELAY
            self.goodbye_at = math.inf
            self._scheduled = self._pacer.add(self._say_goodbye_again, farewell)
        return tell

    def _say_goodbye_again(self) -> float | None:
        """Send BYE, if repeats remain; return when to repeat it."""
        with self._lock:
            if self._phase is not _Phase.ENDED:
                return None
            self.say_goodbye()
            self.goodbye_at = steady()
            self._byes_left -= 1
            return steady() + BYE_DELAY if self._byes_left else None

    def say_goodbye(self) -> None:
        """RFC 3550 section 6.6: BYE at the end of the movie and of the session."""
        if self._reports is not None:
            self._reports.say_goodbye()

    def _unschedule(self) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def _finish_frame(self) -> None:
        """Send the rest of the current frame: half a frame would be useless."""
        try:
            while self.stream.is_within_frame:
                self.stream.send_burst()
        except ViewerGone:
            pass  # nobody is left to miss the rest
        except Exception:
            viewer = self._viewer_reports.viewer
            logger.exception("%s: the rest of a frame can't be sent", viewer)

    # ------------------------------------------------------------------ what the viewer reports

    @property
    def report_socket(self) -> socket.socket | None:
        """The socket for the viewer's reports, if they do not use the RTSP connection."""
        return self.stream.sink.report_socket

    @property
    def last_report(self) -> ReportBlock | None:
        """The viewer's last report."""
        return self._viewer_reports.last

    @property
    def round_trip(self) -> float | None:
        """Seconds to the viewer and back, by its reports."""
        return self._viewer_reports.round_trip

    def take_report(self, data: bytes) -> bool:
        """Note and log the viewer's reports; tell if `data` was RTCP at all."""
        return self._viewer_reports.take(data)

    def receive_report(self) -> bool:
        """Take a report off `report_socket`; tell if it was RTCP at all."""
        return self.take_report(self.stream.sink.receive_report())


def _tell_nobody(is_gone: bool) -> None:
    """Nobody waits for the end."""
