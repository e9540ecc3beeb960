"""The RTP stream of one session: how its packets are numbered, stamped and reported."""

from __future__ import annotations

import random

from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.packet import pack_headers
from rtplab.serving.media.payloads import Payloads
from rtplab.serving.rtp.datagrams import Packet, evenly
from rtplab.serving.rtp.sinks import Sink

MJPEG = 26  # payload type: JPEG (RFC 3551 section 6)
CLOCK_RATE = 90_000  # ticks a second of every video payload (RFC 3551 section 5)


class RtpStream:
    """One session's RTP: sequence numbers, timestamps, SSRC. Not thread-safe.

    Timestamps are 90 kHz ticks and go on without a break over pauses and seeks (RFC 2326
    appendix B); sequence numbers likewise.
    """

    __slots__ = (
        "sink",
        "ssrc",
        "sequence_number",
        "frames_sent",
        "packets_sent",
        "bytes_sent",
        "_first_timestamp",
        "_media_time",
        "_last_timestamp",
        "_mark_single_packets",
        "_next_report",
        "_bursts",
        "_burst_share",
    )

    def __init__(
        self,
        sink: Sink,
        *,
        ssrc: int,
        sequence_number: int,
        first_timestamp: int,
        mark_single_packets: bool,
    ) -> None:
        self.sink = sink
        self.ssrc = ssrc
        self.sequence_number = sequence_number  # of the next packet
        self._first_timestamp = first_timestamp
        self._media_time = 0.0  # seconds since the first frame
        self._last_timestamp = first_timestamp  # of the frame sent last
        self._mark_single_packets = mark_single_packets
        self.frames_sent = 0
        self.packets_sent = 0
        self.bytes_sent = 0  # of payload
        self._next_report = 0.0  # with the first frame: players set their clocks by it
        self._bursts: list[list[Packet]] = []  # of the frame under way, still to be sent
        self._burst_share = 1.0

    @property
    def timestamp(self) -> int:
        """The timestamp of the next frame, in 90 kHz ticks."""
        return (self._first_timestamp + round(self._media_time * CLOCK_RATE)) & 0xFFFFFFFF

    def begin_frame(self, payloads: Payloads, duration: float) -> None:
        """Take a frame that is shown for `duration` seconds; `send_burst` sends it.

        A frame without payloads is skipped.
        """
        packets = self._packets(payloads)
        self._bursts = evenly(packets, self.sink.max_burst) if packets else []
        self._burst_share = 1 / max(1, len(self._bursts))
        self._media_time += duration

    def skip(self, duration: float) -> None:
        """Leave `duration` seconds out: timestamps go on, sequence numbers have no gap."""
        self._media_time += duration

    def send_burst(self) -> float:
        """Send the next burst of the frame; return its share of the frame's time, 0 to 1.

        Raises ViewerGone.
        """
        if self._bursts:
            self.sink.send(self._bursts.pop(0))
        return self._burst_share

    @property
    def is_within_frame(self) -> bool:
        """Tell if a part of the frame is still to be sent."""
        return bool(self._bursts)

    def _packets(self, payloads: Payloads) -> list[Packet]:
        """Number and stamp the packets of one frame."""
        self._last_timestamp = timestamp = self.timestamp
        if not payloads:
            return []
        count = len(payloads)
        marker = count > 1 or self._mark_single_packets
        headers = pack_headers(count, marker, MJPEG, self.sequence_number, timestamp, self.ssrc)
        self.sequence_number = (self.sequence_number + count) & 0xFFFF
        self.packets_sent += count
        self.bytes_sent += _size(payloads)
        self.frames_sent += 1
        return list(zip(headers, payloads, strict=True))

    def report_is_due(self, now: float) -> bool:
        """Tell if it is time for a sender report; `now` in seconds of time.monotonic."""
        return now >= self._next_report

    def report(self, cname: str, now: float, wall_clock: float, bye: bool = False) -> None:
        """Send a sender report (RFC 3550 section 6.4.1), with BYE at the end of the stream.

        `wall_clock` is Unix time. Raises ViewerGone.
        """
        interval = rtcp.report_interval(2, 100, self._bandwidth(), random.random())
        self._next_report = now + interval
        report = rtcp.SenderReport(
            self.ssrc,
            rtcp.ntp_timestamp(wall_clock),
            self._last_timestamp,
            self.packets_sent,
            self.bytes_sent,
        )
        goodbye = rtcp.Bye((self.ssrc,)) if bye else None
        self.sink.send_report(rtcp.build_compound(report, cname, goodbye))

    def _bandwidth(self) -> float:
        """Bytes a second so far; with our few short reports the five seconds' minimum rules."""
        return max(1000.0, self.bytes_sent / max(1.0, self._media_time))


def _size(payloads: Payloads) -> int:
    """Return how many bytes a frame's payloads have: all but the last have the same."""
    return (len(payloads) - 1) * len(payloads[0]) + len(payloads[-1])
