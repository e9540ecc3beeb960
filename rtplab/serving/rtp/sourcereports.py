"""How one publisher's packets arrive, for receiver reports (RFC 3550 section 6.4)."""

from __future__ import annotations

import random
import secrets

from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.serial import timestamp_delta

CLOCK_RATE = 90_000  # ticks a second of JPEG's timestamps (RFC 3551 section 5)


class SourceReports:
    """Counts the packets of one source; says when a report is due. Times are steady seconds."""

    def __init__(self, source: int, cname: str, now: float) -> None:
        """`source` is the publisher's SSRC, `cname` our name in RTCP."""
        self._source = source
        self._ssrc, self._cname = secrets.randbits(32), cname
        self._next_report = now + rtcp.report_interval(random.random())
        self._first = self._highest = -1  # sequence numbers including their cycles
        self._received = 0
        self._before = 0, 0  # expected and received, as of the last report
        self._last: tuple[int, float] | None = None  # timestamp and arrival of the last packet
        self._jitter = 0.0  # ticks
        self._sender_report = 0, 0.0  # middle 32 bits of the last one's time, and its arrival

    def take_packet(self, number: int, timestamp: int, now: float) -> None:
        """Count a packet; `number` includes the cycles above its 16 bits."""
        if self._first < 0:
            self._first = self._highest = number
        self._first, self._highest = min(self._first, number), max(self._highest, number)
        self._received += 1
        if self._last is not None:  # appendix A.8
            late = (now - self._last[1]) * CLOCK_RATE - timestamp_delta(timestamp, self._last[0])
            self._jitter += (abs(late) - self._jitter) / 16
        self._last = timestamp, now

    def take_report(self, report: rtcp.SenderReport, now: float) -> None:
        """Note when the source has last reported."""
        if report.ssrc == self._source:
            self._sender_report = rtcp.middle_32(report.ntp), now

    def report_if_due(self, now: float) -> bytes | None:
        """Return the report that is due, or None."""
        if now < self._next_report:
            return None
        self._next_report = now + rtcp.report_interval(random.random())
        expected = self._highest - self._first + 1
        new, lost = expected - self._before[0], expected - self._received
        newly_lost = new - (self._received - self._before[1])
        self._before = expected, self._received
        last, arrival = self._sender_report
        block = rtcp.ReportBlock(
            self._source,
            min(255, newly_lost * 256 // new) if new > 0 and newly_lost > 0 else 0,
            lost,
            self._highest & 0xFFFFFFFF,
            round(self._jitter) & 0xFFFFFFFF,
            last,
            round((now - arrival) * 65536) & 0xFFFFFFFF if last else 0,
        )
        return rtcp.build_compound(rtcp.ReceiverReport(self._ssrc, (block,)), self._cname)
