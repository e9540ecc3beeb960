"""A live stream for a multicast group: one seat at the stream, whose packets all viewers share."""

from __future__ import annotations

import threading

from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.rtsp.headers import Range, Transport
from rtplab.serving.rtp.delivery import PlayInfo
from rtplab.serving.rtp.live import LiveSeat
from rtplab.serving.rtp.multicast import MulticastSink, Seat
from rtplab.serving.rtp.stream import RtpStream


class LiveGroup:
    """The one sender of a live stream to a group. It is a Channel of MulticastChannels."""

    cursor: MovieCursor | None = None  # there is no movie

    def __init__(self, seat: LiveSeat, transport: Transport, sink: MulticastSink) -> None:
        """`seat` sends to the group by `sink`; SETUP answers each viewer with `transport`."""
        self.transport = transport
        self.seats = 0  # guarded by the lock of MulticastChannels
        self._sink = sink
        self._seat = seat
        self._lock = threading.Lock()  # guards who watches
        self._watching: dict[Seat, None] = {}  # in the order in which they came

    @property
    def stream(self) -> RtpStream:
        """The packets as they are numbered."""
        return self._seat.stream

    def reach(self, local_host: str) -> None:
        """Send to the viewers, too, who come to us by this address. Raises OSError."""
        with self._lock:
            self._sink.reach(local_host)

    def select(self) -> None:
        """Stay with what is shown now: there is nothing else."""

    def info(self) -> PlayInfo:
        """Return the numbers with which a viewer begins: only the first gets the newest picture."""
        with self._lock:
            is_sending = bool(self._watching)
        if not is_sending:
            return self._seat.info()
        return PlayInfo(Range(), 1.0, 1.0, self.stream.sequence_number, self.stream.timestamp)

    def prepare(self) -> None:
        """Wait for the first picture, where the stream is fetched. Raises MessageError."""
        self._seat.prepare()

    def join(self, seat: Seat) -> None:
        """Send for this seat too, unless it has seen the end and not been stopped since."""
        with self._lock:
            if seat.has_ended:
                return
            is_first = not self._watching
            self._watching[seat] = None
        if is_first:  # without the lock: it may have ended by now, of which we are told at once
            self._seat.stop()
            self._seat.start(lambda: None, self._ended)

    def leave(self, seat: Seat) -> None:
        """Send no longer for this seat. May be called twice."""
        with self._lock:
            seat.has_ended = False
            was_last = bool(self._watching) and self._watching.keys() == {seat}
            self._watching.pop(seat, None)
            if was_last:
                self._seat.stop()

    def _ended(self, is_gone: bool) -> None:
        with self._lock:
            watched, self._watching = self._watching, {}
            for seat in watched:
                seat.has_ended = True
        for seat in watched:  # without the lock: their sessions have locks of their own
            seat.tell()

    def close(self) -> None:
        """Say BYE and free the sockets."""
        self._seat.close()
