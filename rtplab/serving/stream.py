"""The RTP stream of one session: how its packets are numbered, stamped and reported."""

from __future__ import annotations

import random

from rtplab.protocol import rtcp
from rtplab.serving.media import Payloads
from rtplab.serving.sinks import Packet, Sink
from RtpPacket import pack_header

MJPEG = 26  # payload type: JPEG (RFC 3551 section 6)
CLOCK_RATE = 90_000  # ticks a second of every video payload (RFC 3551 section 5)


class RtpStream:
    """One session's RTP: sequence numbers, timestamps, SSRC. Not thread-safe.

    Timestamps are 90 kHz ticks and go on without a break over pauses and seeks (RFC 2326
    appendix B); sequence numbers likewise.
    """

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
        self._mark_single_packets = mark_single_packets
        self._packets_sent = 0
        self._bytes_sent = 0  # of payload
        self._next_report = 0.0

    @property
    def timestamp(self) -> int:
        """The timestamp of the next frame, in 90 kHz ticks."""
        return (self._first_timestamp + round(self._media_time * CLOCK_RATE)) & 0xFFFFFFFF

    def send(self, payloads: Payloads, duration: float) -> None:
        """Send a frame that is shown for `duration` seconds; one without payloads is skipped.

        Raises ViewerGone.
        """
        timestamp = self.timestamp
        packets: list[Packet] = []
        for index, (header, data) in enumerate(payloads, start=1):
            is_last = index == len(payloads)
            marker = is_last and (len(payloads) > 1 or self._mark_single_packets)
            rtp_header = pack_header(marker, MJPEG, self.sequence_number, timestamp, self.ssrc)
            packets.append([rtp_header, header, data])
            self.sequence_number = (self.sequence_number + 1) & 0xFFFF
            self._bytes_sent += len(header) + len(data)
        self._media_time += duration
        self._packets_sent += len(packets)
        self.sink.send(packets)

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
            self.timestamp,
            self._packets_sent,
            self._bytes_sent,
        )
        goodbye = rtcp.Bye((self.ssrc,)) if bye else None
        self.sink.send_report(rtcp.build_compound(report, cname, goodbye))

    def _bandwidth(self) -> float:
        """Bytes a second so far; with our few short reports the five seconds' minimum rules."""
        return max(1000.0, self._bytes_sent / max(1.0, self._media_time))
