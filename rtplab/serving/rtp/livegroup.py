"""A live stream for a multicast group: one delivery, whose packets all viewers share."""

from __future__ import annotations

import threading

from rtplab.movies.cursor import MovieCursor
from rtplab.protocol.rtsp.headers import Range, Transport
from rtplab.serving.rtp.delivery import PlayInfo
from rtplab.serving.rtp.live import LiveDelivery
from rtplab.serving.rtp.multicast import GroupDelivery, MulticastSink
from rtplab.serving.rtp.stream import RtpStream


class LiveGroup:
    """The one sender of a live stream to a group. It is a Channel of MulticastChannels."""

    cursor: MovieCursor | None = None  # no movie

    def __init__(self, delivery: LiveDelivery, transport: Transport, sink: MulticastSink) -> None:
        """`delivery` sends to the group by `sink`; SETUP answers each viewer with `transport`."""
        self.transport = transport
        self.sessions = 0  # guarded by the lock of MulticastChannels
        self._sink = sink
        self._delivery = delivery
        self._lock = threading.Lock()  # guards who watches
        self._watching: dict[GroupDelivery, None] = {}  # in the order in which they came

    @property
    def stream(self) -> RtpStream:
        """The packet numbering."""
        return self._delivery.stream

    def reach(self, local_host: str) -> None:
        """Send also to viewers who reach us at this address. Raises OSError."""
        with self._lock:
            self._sink.reach(local_host)

    def select(self, delivery: GroupDelivery) -> None:
        """Do nothing: a live stream has only the present."""

    def info(self) -> PlayInfo:
        """Return the numbers with which a viewer begins; only the first gets the newest picture."""
        with self._lock:
            is_sending = bool(self._watching)
        if not is_sending:
            return self._delivery.info()
        return PlayInfo(Range(), 1.0, 1.0, self.stream.sequence_number, self.stream.timestamp)

    def prepare(self) -> None:
        """Wait for the first picture if the stream is fetched. Raises MessageError."""
        self._delivery.prepare()

    def join(self, delivery: GroupDelivery) -> None:
        """Send for this delivery too, unless it has seen the end and was not stopped since."""
        with self._lock:
            if delivery.has_ended:
                return
            is_first = not self._watching
            self._watching[delivery] = None
        if is_first:  # without the lock: it may have ended by now, and would tell us at once
            self._delivery.stop()
            self._delivery.start(lambda: None, self._ended)

    def leave(self, delivery: GroupDelivery) -> None:
        """Stop sending for this delivery. May be called twice."""
        with self._lock:
            delivery.has_ended = False
            was_last = bool(self._watching) and self._watching.keys() == {delivery}
            self._watching.pop(delivery, None)
            if was_last:
                self._delivery.stop()

    def _ended(self, is_gone: bool) -> None:
        with self._lock:
            watched, self._watching = self._watching, {}
            for delivery in watched:
                delivery.has_ended = True
        for delivery in watched:  # without the lock: their sessions have locks of their own
            delivery.tell()

    def close(self) -> None:
        """Say BYE and free the sockets."""
        self._delivery.close()
