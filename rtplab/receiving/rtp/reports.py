"""A receiver's RTCP: its reports to the sender, and the sender's (RFC 3550 section 6)."""

from __future__ import annotations

import random
import secrets

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import rtcp
from rtplab.receiving.rtp.statistics import Statistics
from rtplab.receiving.rtp.timeline import CLOCK_RATE


class ReceiverReporter:
    """The reports about one stream. Times are seconds of any steady clock."""

    def __init__(self, now: float) -> None:
        self.ssrc = secrets.randbits(32)
        self._cname = secrets.token_urlsafe(
            12
        )  # RFC 7022 section 4.2: random, so it reveals nothing
        self.due = now  # when the next is due; the first at once: it opens a firewall
        self._last_sender_report = 0, 0, 0.0  # its SSRC, middle 32 bits, arrival
        self._expected_before = 0
        self._received_before = 0
        self.sender_said_goodbye = False

    def take(self, data: bytes, now: float, sender: int | None) -> None:
        """Read the sender's reports; `sender` is its SSRC once known.

        Unreadable reports, and those of others, are ignored.
        """
        try:
            packets = rtcp.parse_compound(data)
        except PacketError:
            return
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport) and sender in (None, packet.ssrc):
                self._last_sender_report = packet.ssrc, rtcp.middle_32(packet.ntp), now
            elif isinstance(packet, rtcp.Bye) and (sender is None or sender in packet.ssrcs):
                self.sender_said_goodbye = True

    def report(self, statistics: Statistics, sender: int | None, now: float) -> bytes:
        """Return the receiver report that is due; `sender` is the stream's SSRC once known."""
        self.due = now + rtcp.report_interval(random.random())
        blocks = () if sender is None else (self._block(statistics, sender, now),)
        return rtcp.build_compound(rtcp.ReceiverReport(self.ssrc, blocks), self._cname)

    def goodbye(self) -> bytes:
        """Return the BYE with which we leave."""
        report = rtcp.ReceiverReport(self.ssrc)
        return rtcp.build_compound(report, self._cname, rtcp.Bye((self.ssrc,)))

    def _block(self, statistics: Statistics, sender: int, now: float) -> rtcp.ReportBlock:
        reported, lsr, arrival = self._last_sender_report
        delay = round((now - arrival) * 65536) & 0xFFFFFFFF
        if reported != sender or not lsr:  # none yet, or another source's
            lsr = delay = 0
        return rtcp.ReportBlock(
            sender,
            self._fraction_lost(statistics),
            statistics.expected - statistics.packets,
            statistics.highest_sequence & 0xFFFFFFFF,
            round(statistics.jitter * CLOCK_RATE) & 0xFFFFFFFF,
            lsr,
            delay,
        )

    def _fraction_lost(self, statistics: Statistics) -> int:
        """The part lost since the last report, in 256ths.

        As in appendix A.3, late packets and duplicates count as received, unlike in the figures for
        the user. The same is true of the cumulative loss, which may become negative.
        """
        received = statistics.packets
        expected_now = statistics.expected - self._expected_before
        lost_now = expected_now - (received - self._received_before)
        self._expected_before, self._received_before = statistics.expected, received
        if expected_now <= 0 or lost_now <= 0:
            return 0
        return min(255, lost_now * 256 // expected_now)
