"""Live streams: one producer and any number of viewers, who see the newest picture.

    producer's thread         thread "live", one for each stream
    LiveStream.show -> the newest picture -> a Channel for each way of cutting it
                                               RtpStream -> FanOut -> a sink for each delivery

All standard viewers with packets of one size share one numbering: a picture is cut, numbered and
stamped once for all of them. A lab client has a Channel of its own, as its frames count from 1.
A viewer who joins later gets the newest picture at once, by the numbers under which the others
have had it, and then goes on with them.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from rtplab.clock import steady
from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.errors import RtpLabError
from rtplab.protocol.rtp.rtcp import ReportBlock
from rtplab.protocol.rtsp.headers import Range
from rtplab.protocol.rtsp.messages import printable
from rtplab.serving.media.livepicture import LivePicture
from rtplab.serving.media.payloads import MAX_LAB_FRAME, WHOLE
from rtplab.serving.rtp.delivery import PlayInfo
from rtplab.serving.rtp.livechannel import Channel, FanOut, Frame, LiveViewer
from rtplab.serving.rtp.reports import ViewerReports
from rtplab.serving.rtp.sinks import Sink, ViewerGone
from rtplab.serving.rtp.stream import RtpStream, lab_stream, standard_stream

# Seconds that DESCRIBE waits for the first picture, whose size it must state.
FIRST_PICTURE = 3.0
# Seconds between two log lines about pictures that can't be sent.
LOG_INTERVAL = 30.0
# Bytes of one picture from a publisher or camera: a 4K JPEG of high quality is 4 MB.
MAX_PICTURE = 8 << 20
# Pictures that may wait to be sent: those of one read from a publisher's connection. If there are
# more, the oldest are skipped.
MAX_WAITING = 3
# The longest time in seconds over which one picture's bursts are spread.
LONGEST_SPREAD = 0.1

logger = logging.getLogger("rtplab.live")


class LiveStream:
    """A named stream: its producer's pictures, and its viewers.

    It has more attributes than other classes: one lock guards the three of them that say who
    produces it, and those that say what is sent to whom, as a new producer goes on with both.
    """

    def __init__(
        self,
        name: str,
        fps: float,
        max_payload: int,
        cname: str,
        ended: Callable[[LiveStream], None] = lambda stream: None,
    ) -> None:
        """`fps` is announced to viewers, and sets the time over which large pictures are spread.

        `ended` is called when the stream has ended for good.
        """
        self.name = name
        self.fps = fps
        self.began = time.time()
        self._cname = cname
        self._max_payload = max_payload
        self._ended = ended
        # Guards the attributes below. A viewer who joins waits for the burst to all the others.
        self._changed = threading.Condition()
        self.owner: str | None = None  # the user who publishes it over the network
        self._taken_over: Callable[[], None] | None = None  # tells who publishes it now
        self._ends_at: float | None = None  # unless a producer takes over by then
        self._newest: LivePicture | None = None
        self._waiting: deque[LivePicture] = deque()  # to be sent
        self._is_closed = False
        self._channels: dict[int, Channel] = {}  # of all but lab viewers, by the size of payload
        self._lab_channels: set[Channel] = set()
        self._logged_at = -LOG_INTERVAL
        self.skipped = 0  # pictures that were late, or could not be sent
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ for the producer

    def show(self, make: Callable[[], bytes]) -> None:
        """Show a picture to all viewers as soon as possible; if too many wait, skip old ones.

        `make` returns the JPEG, and is called only if somebody wants it. Returns at once.
        """
        with self._changed:
            self._newest = LivePicture(make, steady())
            self._waiting.append(self._newest)
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popleft()
                self.skipped += 1
            self._changed.notify_all()

    def take_over(self, taken_over: Callable[[], None]) -> None:
        """Let another producer take over; tell the previous one."""
        with self._changed:
            before, self._taken_over = self._taken_over, taken_over
            self._ends_at = None
        if before is not None:
            before()

    def may_be_taken_over(self, owner: str | None) -> bool:
        """Tell if a producer may take over: the same user, or any if it was abandoned."""
        with self._changed:
            is_left = self._ends_at is not None
            return owner == self.owner and (owner is not None or is_left)

    def leave_to_others(self, taken_over: Callable[[], None], wait: float) -> None:
        """Note that this producer is gone: the stream ends in `wait` seconds unless taken over."""
        with self._changed:
            if self._taken_over is taken_over:  # otherwise another producer has taken over
                self._taken_over = None
                self._ends_at = steady() + wait
                self._changed.notify_all()

    def close(self) -> None:
        """Tell all viewers of the end. May be called twice."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def is_closed(self) -> bool:
        """Tell if the producer has gone."""
        return self._is_closed

    @property
    def viewers(self) -> int:
        """The number of viewers."""
        with self._changed:
            return sum(len(channel.fan_out.deliveries) for channel in self._all_channels())

    # ------------------------------------------------------------------ for viewers

    def prepare(self) -> None:
        """Make sure there is a picture for a new viewer. Raises MessageError 503 or 504."""

    def picture(self, timeout: float = FIRST_PICTURE) -> LivePicture | None:
        """Return the newest picture; wait at most `timeout` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._is_closed, timeout)
            return self._newest

    def lab_delivery(self, sink: Sink, marker: bool, viewer: str) -> LiveDelivery:
        """Return a delivery for a lab client; the log names `viewer`."""
        fan_out = FanOut(sink.max_payload)
        channel = Channel(lab_stream(fan_out, marker), fan_out, WHOLE, cname=None)
        return LiveDelivery(self, channel, sink, viewer)

    def standard_delivery(self, sink: Sink, viewer: str) -> LiveDelivery:
        """Return a delivery for a standard viewer; the log names `viewer`."""
        return self.delivery(sink, min(self._max_payload, sink.max_payload), viewer)

    def delivery(self, sink: Sink, cut: int, viewer: str) -> LiveDelivery:
        """Return a delivery in payloads of `cut` bytes, or in WHOLE pictures."""
        with self._changed:
            channel = self._channels.get(cut)
            if channel is None:
                fan_out = FanOut(cut or MAX_LAB_FRAME)
                channel = Channel(standard_stream(fan_out), fan_out, cut, self._cname)
                self._channels[cut] = channel
        return LiveDelivery(self, channel, sink, viewer)

    def newest_of(self, channel: Channel) -> Frame | None:
        """Return the frame at which a viewer who joins now starts."""
        self._catch_up(channel)
        with self._changed:
            return channel.newest

    def join(self, delivery: LiveDelivery) -> bool:
        """Send to this delivery too; False if the stream is over. Raises ViewerGone."""
        channel = delivery.channel
        self._catch_up(channel)
        with self._changed:
            if self._is_closed:
                return False
            if channel not in self._channels.values():
                self._lab_channels.add(channel)
            channel.join(delivery)
            channel.report_to(delivery.sink)
            return True

    def _catch_up(self, channel: Channel) -> None:
        """Give the newest picture to a channel that had no viewers."""
        picture = self._newest
        if picture is None or channel.picture is picture or not self._is_ready(channel, picture):
            return
        with self._changed:
            if channel.is_behind(picture):
                channel.show(picture)

    def leave(self, delivery: LiveDelivery) -> None:
        """Stop sending to this delivery. May be called twice."""
        with self._changed:
            delivery.channel.fan_out.deliveries.pop(delivery.sink, None)
            self._lab_channels.discard(delivery.channel)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        """Send new pictures, and the bursts of large ones, until the stream is closed."""
        try:
            while not self._is_closed:
                picture = self._wait()
                if picture is not None:
                    self._show_to_all(picture)
                self._report_gone()
        except Exception:
            logger.exception("%s ends: internal error", printable(self.name, 80))
        finally:
            self._end()

    def _wait(self) -> LivePicture | None:
        """Wait for a new picture; send the bursts of the last one that are due meanwhile."""
        with self._changed:
            if not (self._waiting or self._is_closed):
                self._changed.wait(self._gap())
            if self._ends_at is not None and steady() >= self._ends_at:
                self._is_closed = True
            if self._waiting:
                return self._waiting.popleft()
            for channel in self._all_channels():
                channel.send_burst()
            return None

    def _show_to_all(self, picture: LivePicture) -> None:
        with self._changed:
            watched = [channel for channel in self._all_channels() if channel.fan_out.deliveries]
        # Without the lock, which `show` needs: encoding a picture takes long.
        ready = [channel for channel in watched if self._is_ready(channel, picture)]
        with self._changed:
            for channel in ready:
                if channel.is_behind(picture):  # a new viewer gets the newest one
                    channel.show(picture)

    def _is_ready(self, channel: Channel, picture: LivePicture) -> bool:
        """Cut a picture for a channel; False if that fails, which is logged now and then."""
        try:
            picture.payloads(channel.cut)
        except (RtpLabError, OSError) as error:
            with self._changed:
                self.skipped += 1
                is_due = steady() >= self._logged_at + LOG_INTERVAL
                if is_due:
                    self._logged_at = steady()
            if is_due:
                name = printable(self.name, 80)
                logger.warning("%s: a picture is skipped, and perhaps others: %s", name, error)
            return False
        return True

    def _gap(self) -> float | None:
        """Seconds until the next burst or the end; None if there is neither."""
        shares = [one.share for one in self._all_channels() if one.stream.is_within_frame]
        if shares:
            return min(1 / self.fps, LONGEST_SPREAD) * min(shares)
        return max(0.0, self._ends_at - steady()) if self._ends_at is not None else None

    def _all_channels(self) -> list[Channel]:
        return [*self._channels.values(), *self._lab_channels]

    def _report_gone(self) -> None:
        with self._changed:
            gone = [
                delivery for channel in self._all_channels() for delivery in channel.fan_out.gone
            ]
            for channel in self._all_channels():
                channel.fan_out.gone.clear()
        for delivery in gone:  # without the lock: their sessions have locks of their own
            delivery.tell(is_gone=True)

    def _end(self) -> None:
        """End the stream for good."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._ended(self)
        self._dismiss()

    def _dismiss(self) -> None:
        """Send BYE to all, and tell their sessions."""
        with self._changed:
            deliveries: list[LiveViewer] = []
            for channel in self._all_channels():
                try:
                    channel.finish()
                except Exception:  # the others must still be told
                    logger.exception("%s: the rest of a picture can't be sent", self.name)
                deliveries += channel.fan_out.deliveries.values()
                for delivery in channel.fan_out.deliveries.values():
                    delivery.say_goodbye()
                channel.fan_out.deliveries.clear()
        for delivery in deliveries:  # without the lock: their sessions have locks of their own
            delivery.tell(is_gone=False)


class LiveDelivery:
    """A live stream for one viewer. It is a Delivery."""

    cursor: MovieCursor | None = None  # no movie

    def __init__(self, live: LiveStream, channel: Channel, sink: Sink, viewer: str) -> None:
        """the log names `viewer`."""
        self.channel = channel
        self.sink = sink
        self.viewer = viewer
        self.first: Frame | None = None  # the first to send
        self.has_ended = False
        self._live = live
        self._reports = ViewerReports(viewer, channel.stream.ssrc, channel.reports)
        self._lock = threading.Lock()  # guards _ended
        self._ended: Callable[[bool], None] | None = None

    @property
    def stream(self) -> RtpStream:
        """The packet numbering that all viewers of the channel share."""
        return self.channel.stream

    @property
    def report_socket(self) -> socket.socket | None:
        """The socket for the viewer's reports, if they do not use the RTSP connection."""
        return self.sink.report_socket

    @property
    def last_report(self) -> ReportBlock | None:
        """The viewer's last report."""
        return self._reports.last

    @property
    def round_trip(self) -> float | None:
        """Seconds to the viewer and back, by its reports."""
        return self._reports.round_trip

    def select(self, span: Range, scale: float, speed: float) -> None:
        """Do nothing: a live stream has only the present."""

    def info(self) -> PlayInfo:
        """Return the numbers of the newest frame, where this viewer begins."""
        self.first = self._live.newest_of(self.channel)
        begin = self.first or self.stream
        return PlayInfo(Range(), 1.0, 1.0, begin.sequence_number, begin.timestamp)

    def prepare(self) -> None:
        """Wait for the first picture of a stream that is fetched. Raises MessageError."""
        self._live.prepare()

    def start(self, send: Callable[[], float | None], ended: Callable[[bool], None]) -> None:
        """Start watching; the stream sends by itself."""
        with self._lock:
            if self._ended is not None or self.has_ended:
                return
            self._ended = ended
        try:
            is_over = not self._live.join(self)
        except ViewerGone:
            self.tell(is_gone=True)
            return
        except Exception:
            logger.exception("%s: sending stopped: internal error", self.viewer)
            is_over = True
        if is_over:
            self.say_goodbye()
            self.tell(is_gone=False)

    def say_goodbye(self) -> None:
        """Say BYE to this viewer only."""
        try:
            self.channel.say_goodbye_to(self.sink)
        except Exception:
            logger.exception("%s could not be told that the stream ended", self.viewer)

    def tell(self, is_gone: bool) -> None:
        """Tell the session of the end. It may have stopped meanwhile, and started again."""
        with self._lock:
            ended, self._ended = self._ended, None
            self.has_ended = ended is not None
        try:
            if ended is not None:
                ended(is_gone)
        except Exception:
            logger.exception("%s could not be told that the stream ended", self.viewer)

    def send_next(self) -> float | None:
        """Do nothing: the stream sends by itself."""
        return None

    def stop(self) -> None:
        """Stop watching. May be called twice."""
        with self._lock:
            self._ended, self.has_ended = None, False
        self._live.leave(self)

    def take_report(self, data: bytes) -> bool:
        """Note and log the viewer's reports; tell if `data` was RTCP at all."""
        return self._reports.take(data)

    def receive_report(self) -> bool:
        """Take a report off `report_socket`; tell if it was RTCP at all."""
        return self.take_report(self.sink.receive_report())

    def close(self) -> None:
        """Stop watching, send BYE to this viewer only, and free its sockets."""
        self.stop()
        try:
            self.channel.say_goodbye_to(self.sink)
        finally:
            self.sink.close()
