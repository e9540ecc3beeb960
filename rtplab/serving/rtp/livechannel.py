"""How the pictures of a live stream reach all viewers who can share packets.

A picture is cut, numbered and stamped once for all of them: Channel -> RtpStream -> FanOut, which
is a sink that stands for those of all deliveries.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

from rtplab.clock import steady
from rtplab.serving.media.livepicture import LivePicture
from rtplab.serving.rtp.datagrams import Burst, PacketParts
from rtplab.serving.rtp.reports import SenderReports
from rtplab.serving.rtp.sinks import MAX_BURST, Counts, Sink, ViewerGone
from rtplab.serving.rtp.stream import RtpStream

logger = logging.getLogger("rtplab.live")

Packets = list[PacketParts]


class LiveViewer(Protocol):
    """A viewer of a channel: its delivery."""

    viewer: str  # its name in the log
    sink: Sink
    first: Frame | None  # the first to send, if it has been told of one

    def say_goodbye(self) -> None:
        """Say BYE to this viewer only."""

    def tell(self, is_gone: bool) -> None:
        """Tell the session of the end."""


class Frame:
    """How much of a frame has been sent, and its first sequence number and timestamp."""

    __slots__ = ("sequence_number", "timestamp", "packets")

    def __init__(self, sequence_number: int, timestamp: int) -> None:
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.packets: Packets = []


class FanOut:
    """The sinks of many viewers as one. It is a Sink.

    It keeps the last two frames, for viewers who join in the middle of them.
    """

    max_burst = MAX_BURST
    is_lossy = True
    report_socket: socket.socket | None = None
    not_sent = Counts()  # not counted: a packet one viewer lacks may have reached others

    def __init__(self, max_payload: int) -> None:
        self.max_payload = max_payload
        self.frames: deque[Frame] = deque(maxlen=2)
        self.deliveries: dict[Sink, LiveViewer] = {}
        self.gone: list[LiveViewer] = []  # to be told

    def begin_frame(self, sequence_number: int, timestamp: int) -> None:
        """Start another frame: packets sent from now on belong to it."""
        self.frames.append(Frame(sequence_number, timestamp))

    def send(self, packets: Packets) -> None:
        """Send to all; drop those who are gone, to be told later."""
        self.frames[-1].packets += packets
        burst = Burst(packets)
        self._for_all(lambda sink: sink.send(burst))

    def send_report(self, report: bytes) -> None:
        """Send an RTCP compound packet to all."""
        self._for_all(lambda sink: sink.send_report(report))

    def _for_all(self, send: Callable[[Sink], None]) -> None:
        gone = []
        for sink, delivery in self.deliveries.items():
            try:
                send(sink)
            except ViewerGone as error:
                logger.info("%s: sending stopped: %s", delivery.viewer, error)
                gone.append(delivery)
            except Exception:  # one viewer must not cost the others their stream
                logger.exception("%s: sending stopped: internal error", delivery.viewer)
                gone.append(delivery)
        for delivery in gone:
            del self.deliveries[delivery.sink]
        self.gone += gone

    def receive_report(self) -> bytes:
        """Return None: each viewer has its own socket for reports."""
        return b""

    def close(self) -> None:
        """Do nothing: each sink has its own owner."""


class Channel:
    """All viewers of a stream who can share packets. Not thread-safe: LiveStream has the lock."""

    def __init__(self, stream: RtpStream, fan_out: FanOut, cut: int, cname: str | None) -> None:
        """Cut pictures into payloads of `cut` bytes; without a `cname`, RTCP is not sent."""
        self.stream = stream
        self.fan_out = fan_out
        self.cut = cut
        self._cname = cname
        self.reports = SenderReports(stream, cname) if cname is not None else None
        self.picture: LivePicture | None = None  # the last one shown
        self.share = 1.0  # of one burst in the current picture

    def show(self, picture: LivePicture) -> None:
        """Send the rest of the last picture, and this one's first burst.

        Raises MovieError or MessageError when it can't be cut.
        """
        payloads = picture.payloads(self.cut)
        self.finish()
        if self.picture is not None:
            self.stream.skip(picture.moment - self.picture.moment)
        self.picture = picture
        self.fan_out.begin_frame(self.stream.sequence_number, self.stream.timestamp)
        self.stream.begin_frame(payloads, 0.0, steady())
        self.share = self.stream.send_burst()
        if self.reports is not None:
            self.reports.send_if_due(steady())

    def is_behind(self, picture: LivePicture) -> bool:
        """Tell if this picture is newer than the last one shown."""
        return self.picture is None or self.picture.moment < picture.moment

    def send_burst(self) -> None:
        """Send the next burst of the picture, if any is left."""
        if self.stream.is_within_frame:
            self.stream.send_burst()

    def finish(self) -> None:
        """Send the rest of the picture."""
        while self.stream.is_within_frame:
            self.stream.send_burst()

    @property
    def newest(self) -> Frame | None:
        """The frame begun last."""
        return self.fan_out.frames[-1] if self.fan_out.frames else None

    def join(self, delivery: LiveViewer) -> None:
        """Send to this delivery too, at once everything since its first frame or the newest.

        Raises ViewerGone.
        """
        frames = list(self.fan_out.frames)
        if delivery.first in frames:
            frames = frames[frames.index(delivery.first) :]
        else:
            frames = frames[-1:]
        for frame in frames:
            for start in range(0, len(frame.packets), MAX_BURST):
                delivery.sink.send(frame.packets[start : start + MAX_BURST])
        self.fan_out.deliveries[delivery.sink] = delivery

    def report_to(self, sink: Sink) -> None:
        """Send a report to one viewer only: players set their clocks by it."""
        self._report_alone(sink, is_goodbye=False)

    def say_goodbye_to(self, sink: Sink) -> None:
        """Send a BYE to one viewer only (RFC 3550 section 6.6)."""
        self._report_alone(sink, is_goodbye=True)

    def _report_alone(self, sink: Sink, is_goodbye: bool) -> None:
        if self._cname is None:
            return
        alone = SenderReports(self.stream, self._cname, sink)
        if is_goodbye:
            alone.say_goodbye()
        else:
            alone.send_if_due(steady())
