"""The RTP stream of one session: numbers, stamps and counts its packets."""

from __future__ import annotations

import secrets

from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.packet import extended, pack_headers
from rtplab.protocol.rtp.rtpjpeg import begins_with_extension
from rtplab.serving.media.payloads import Payloads
from rtplab.serving.rtp.datagrams import PacketParts, evenly
from rtplab.serving.rtp.sinks import Counts, Sink

MJPEG = 26  # payload type: JPEG (RFC 3551 section 6)
CLOCK_RATE = 90_000  # ticks a second of every video payload (RFC 3551 section 5)


class RtpStream:
    """One session's RTP: sequence numbers, timestamps, SSRC. Not thread-safe.

    Timestamps are 90 kHz ticks and go on without a break over pauses and seeks (RFC 2326
    appendix B); sequence numbers likewise.

    It has more attributes than other classes: every packet needs nearly all of them, and to fetch
    them from other objects would take longer.
    """

    __slots__ = (
        "sink",
        "ssrc",
        "sequence_number",
        "_frames",
        "_packets_numbered",
        "_bytes",
        "_first_timestamp",
        "_media_time",
        "_last_timestamp",
        "_last_began",
        "_mark_single_packets",
        "_has_extensions",
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
        has_extensions: bool = False,
    ) -> None:
        """With `has_extensions`, a frame's first payload may begin with an RTP header extension."""
        self.sink = sink
        self.ssrc = ssrc
        self.sequence_number = sequence_number  # of the next packet
        self._first_timestamp = first_timestamp
        self._media_time = 0.0  # seconds since the first frame
        self._last_timestamp = first_timestamp  # of the frame sent last
        self._last_began: float | None = None  # when it began, in seconds of `clock.steady`
        self._mark_single_packets = mark_single_packets
        # Counts of what was handed to the sink, which may not have taken all of it.
        self._frames = 0
        self._packets_numbered = 0
        self._bytes = 0
        self._has_extensions = has_extensions
        self._bursts: list[list[PacketParts]] = []  # of the current frame, still to be sent
        self._burst_share = 1.0

    @property
    def timestamp(self) -> int:
        """The timestamp of the next frame, in 90 kHz ticks."""
        return (self._first_timestamp + round(self._media_time * CLOCK_RATE)) & 0xFFFFFFFF

    @property
    def sent(self) -> Counts:
        """Everything sent since the beginning."""
        frames, packets, payload = self.sink.not_sent
        return Counts(
            self._frames - frames, self._packets_numbered - packets, self._bytes - payload
        )

    def begin_frame(self, payloads: Payloads, duration: float, now: float) -> None:
        """Take a frame that is shown for `duration` seconds; `send_burst` sends it.

        It begins `now`, in seconds of `clock.steady`. A frame without payloads is skipped.
        """
        self._last_began = now
        packets = self._packets(payloads)
        self._bursts = evenly(packets, self.sink.max_burst) if packets else []
        self._burst_share = 1 / max(1, len(self._bursts))
        self._media_time += duration

    def skip(self, duration: float) -> None:
        """Skip `duration` seconds: timestamps go on, sequence numbers have no gap."""
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
        """Tell if part of the frame is still unsent."""
        return bool(self._bursts)

    def _packets(self, payloads: Payloads) -> list[PacketParts]:
        """Number and stamp the packets of one frame."""
        self._last_timestamp = timestamp = self.timestamp
        if not payloads:
            return []
        count = len(payloads)
        marker = count > 1 or self._mark_single_packets
        headers = pack_headers(count, marker, MJPEG, self.sequence_number, timestamp, self.ssrc)
        if self._has_extensions and begins_with_extension(payloads[0]):
            headers[0] = extended(headers[0])
        self.sequence_number = (self.sequence_number + count) & 0xFFFF
        self._packets_numbered += count
        self._bytes += _size(payloads)
        self._frames += 1
        return list(zip(headers, payloads, strict=True))

    def sender_report(self, now: float, wall_clock: float) -> rtcp.SenderReport:
        """Return a sender report (RFC 3550 section 6.4.1).

        `now` is in seconds of `clock.steady`, `wall_clock` is the same in Unix time. The report's
        timestamp is that of this moment, not of a frame: there may be none at the moment.
        """
        since = now - self._last_began if self._last_began is not None else 0.0
        timestamp = self._last_timestamp + round(since * CLOCK_RATE)
        _, packets, payload = self.sent
        ntp = rtcp.ntp_timestamp(wall_clock)
        return rtcp.SenderReport(self.ssrc, ntp, timestamp & 0xFFFFFFFF, packets, payload)


def _size(payloads: Payloads) -> int:
    """Return the size of a frame's payloads in bytes: all but the last are equally long."""
    return (len(payloads) - 1) * len(payloads[0]) + len(payloads[-1])


def lab_stream(sink: Sink, marker: bool) -> RtpStream:
    """Return a stream numbered as lab clients need it: from 1, one number per frame."""
    return RtpStream(
        sink,
        ssrc=secrets.randbits(32),
        sequence_number=1,
        first_timestamp=0,
        mark_single_packets=marker,
    )


def standard_stream(sink: Sink, has_extensions: bool = False) -> RtpStream:
    """Return a stream that begins at random numbers (RFC 3550 section 5.1)."""
    return RtpStream(
        sink,
        ssrc=secrets.randbits(32),
        sequence_number=secrets.randbits(16),
        first_timestamp=secrets.randbits(32),
        mark_single_packets=True,
        has_extensions=has_extensions,
    )
