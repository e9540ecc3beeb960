"""RTCP on the sending side: the sender's own reports, and those of its viewers."""

from __future__ import annotations

import logging
import random
import time

from rtplab.clock import steady
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import rtcp
from rtplab.serving.rtp.sinks import Sink, ViewerGone
from rtplab.serving.rtp.stream import CLOCK_RATE, RtpStream

IP_AND_UDP = 28  # bytes of header that count as RTCP, too (RFC 3550 section 6.2)
REMEMBERED = 8  # sender reports to which a viewer's report may refer: half a minute
# A viewer rounds its delay to 65536ths of a second, and some round it to milliseconds.
ROUNDING = 0.01  # seconds
LOG_INTERVAL = 30.0  # seconds between two log lines about one viewer's reports

logger = logging.getLogger("rtplab.server")


class SenderReports:
    """The reports and the BYE of one stream (RFC 3550 sections 6.4.1 and 6.6)."""

    __slots__ = ("_stream", "_sink", "_cname", "_epoch", "_next", "_last", "_last_bytes", "_sent")

    def __init__(self, stream: RtpStream, cname: str, sink: Sink | None = None) -> None:
        """Report on `stream`, through its own sink or `sink`; `cname` is our name in RTCP."""
        self._stream = stream
        self._sink = sink or stream.sink
        self._cname = cname
        # Unix time at zero of clock.steady. Taken once: reports go on evenly if somebody sets the
        # clock.
        self._epoch = time.time() - steady()
        self._next = 0.0  # with the first frame: players set their clocks by it
        self._last = 0.0  # when the last one was sent
        self._last_bytes = 0  # of payload that had been sent by then
        # The middle 32 bits of the last reports' times. Replaced, never changed: others read it.
        self._sent: tuple[int, ...] = ()

    def send_if_due(self, now: float) -> None:
        """Send a report if one is due; `now` in seconds of `clock.steady`.

        Raises ViewerGone.
        """
        if now >= self._next:
            self._send(now, None)

    def say_goodbye(self) -> None:
        """Send a report with BYE, even if nobody is left to hear it."""
        try:
            self._send(steady(), rtcp.Bye((self._stream.ssrc,)))
        except ViewerGone:
            pass

    def round_trip(self, block: rtcp.ReportBlock, now: float) -> float | None:
        """Return the round trip to a viewer in seconds, by its report that arrived at `now`.

        RFC 3550 section 6.4.1: A - LSR - DLSR. None if the report refers to none of our last ones,
        or claims a longer delay than has passed since then.
        """
        if block.last_sr not in self._sent:
            return None
        arrival = rtcp.middle_32(rtcp.ntp_timestamp(self._epoch + now))
        since = (arrival - block.last_sr & 0xFFFFFFFF) / 65536
        seconds = since - block.delay_since_last_sr / 65536
        return max(0.0, seconds) if seconds > -ROUNDING else None

    def _send(self, now: float, goodbye: rtcp.Bye | None) -> None:
        report = self._stream.sender_report(now, self._epoch + now)
        data = rtcp.build_compound(report, self._cname, goodbye)
        # RFC 3550 section 6.2: RTCP takes a twentieth of what the media does, and the senders a
        # quarter of this, however many members listen. We are the only sender.
        sent = report.octet_count - self._last_bytes if self._last else 0
        share = sent / max(now - self._last, 1e-3) / 20 / 4  # bytes a second
        needed = (len(data) + IP_AND_UDP) / share if share > 0 else 0.0
        self._next = now + rtcp.report_interval(random.random(), needed)
        self._last, self._last_bytes = now, report.octet_count
        self._sent = (*self._sent[1 - REMEMBERED :], rtcp.middle_32(report.ntp))
        self._sink.send_report(data)


class ViewerReports:
    """One viewer's reports of how it receives a stream."""

    __slots__ = ("viewer", "last", "round_trip", "_ssrc", "_reports", "_logged_at")

    def __init__(self, viewer: str, ssrc: int, reports: SenderReports | None) -> None:
        """Take a viewer's reports about the stream of this source; the log names `viewer`.

        `reports` are those that the viewer gets of it.
        """
        self.viewer = viewer
        self.last: rtcp.ReportBlock | None = None
        self.round_trip: float | None = None  # seconds, by the last report that tells it
        self._ssrc = ssrc
        self._reports = reports
        self._logged_at = -LOG_INTERVAL

    @property
    def may_lose_packets(self) -> bool:
        """Tell if packets may be lost: true unless the viewer reports that none were."""
        return self.last is None or self.last.cumulative_lost > 0

    def take(self, data: bytes) -> bool:
        """Note and log the viewer's reports; tell if `data` was RTCP at all."""
        try:
            packets = rtcp.parse_compound(data)
        except PacketError:
            return False  # players open the path with junk
        for packet in packets:
            if isinstance(packet, (rtcp.ReceiverReport, rtcp.SenderReport)):
                for block in packet.blocks:
                    if block.ssrc == self._ssrc:
                        self._note(block)
        return True

    def _note(self, block: rtcp.ReportBlock) -> None:
        """Keep the report; log it only now and then, as some players send one every second."""
        self.last = block
        now = steady()
        round_trip = self._reports.round_trip(block, now) if self._reports is not None else None
        if round_trip is not None:
            self.round_trip = round_trip
        if now < self._logged_at + LOG_INTERVAL:
            return
        self._logged_at = now
        logger.info(
            "%s reports %.1f %% of its last packets lost, %d in all, jitter %.1f ms",
            self.viewer,
            block.fraction_lost / 2.56,
            block.cumulative_lost,
            block.jitter / CLOCK_RATE * 1000,
        )
