"""What one SETUP makes: a stream to one viewer, and where that viewer stands in the movie."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtsp.headers import Range, RtpInfo, Transport
from rtplab.protocol.rtsp.messages import Dialect, Headers, Request
from rtplab.serving.media.payloads import Media
from rtplab.serving.media.playback import Playback, nearest_rate
from rtplab.serving.rtp.frameclock import FrameClock
from rtplab.serving.rtp.sinks import Sink, ViewerGone
from rtplab.serving.rtp.stream import CLOCK_RATE, RtpStream
from rtplab.serving.rtsp.resources import Resource

MAX_SESSION_ID = 2_147_483_647  # the Java clients of the lab read it with Integer.parseInt

LOG_INTERVAL = 30.0  # seconds between two lines about what one viewer reports

logger = logging.getLogger("rtplab.server")


def new_session_id() -> str:
    """Return a random decimal: enough, as it is good only on the connection that made it."""
    return str(1 + secrets.randbelow(MAX_SESSION_ID))


@dataclass(slots=True)
class Session:
    """One viewer's session, from SETUP to TEARDOWN."""

    session_id: str
    dialect: Dialect
    resource: Resource
    transport: Transport  # as answered to SETUP
    playback: Playback
    media: Media
    stream: RtpStream
    cname: str  # the server's name in RTCP
    viewer: str  # the client's name in the log
    left_out: Callable[[int], None]  # is told how many frames are not sent, as they come too late
    last_report: rtcp.ReportBlock | None = None  # of how the viewer receives the stream
    _logged_at: float = -LOG_INTERVAL
    # Unix time at zero of time.monotonic. Taken once: reports go on evenly when somebody sets the
    # clock.
    _epoch: float = field(default_factory=lambda: time.time() - time.monotonic())
    _clock: FrameClock = field(init=False)  # while frames are being sent

    def go_to(self, span: Range, request: Request) -> None:
        """Take up what PLAY asks for. Raises MessageError 457."""
        if span.start is None:
            self.playback.rewind_at_end()
        self.playback.select(span)
        scale = nearest_rate(request.headers.get("Scale", "1"))
        speed = nearest_rate(request.headers.get("Speed", "1"))
        self.playback.set_pace(scale, speed)

    def play_headers(self, request: Request) -> Headers:
        """Return what a reply to PLAY says of the stream: nothing in the lab dialect."""
        headers = Headers()
        if self.dialect is Dialect.LAB:
            return headers
        headers.add("Range", self.playback.range.serialise())
        for name, value in (("Scale", self.playback.scale), ("Speed", self.playback.speed)):
            if name in request.headers:
                headers.add(name, f"{value:.3f}")
        stream = self.stream
        info = RtpInfo(self.resource.track_url, stream.sequence_number, stream.timestamp)
        headers.add("RTP-Info", info.serialise())
        return headers

    def start_clock(self, now: float) -> None:
        """Have the next frame due at `now`, in seconds of time.monotonic."""
        self._clock = FrameClock(self.playback.interval, now)

    def send_next(self, now: float) -> float | None:
        """Send the next frame, or burst of one; return when what follows is due, None at the end.

        A sender report goes along when one is due. Raises MovieError, ViewerGone.
        """
        stream = self.stream
        if not stream.is_within_frame and not self._begin_frame(now):
            return None
        share = stream.send_burst()
        if self.dialect is Dialect.STANDARD and stream.report_is_due(now):
            stream.report(self.cname, now, self._epoch + now)
        return self._clock.next_due(now, share)

    def _begin_frame(self, now: float) -> bool:
        """Take the next frame whose time is not over yet; False when there is none."""
        missed = self._clock.missed(now)
        if missed:
            self._leave_out(missed)
        number = self.playback.advance()
        if number is None:
            return False
        payloads = self.media.payloads(number, self.stream.sink.max_payload)
        self.stream.begin_frame(payloads, self.playback.frame_duration)
        return True

    def _leave_out(self, frames: int) -> None:
        """Pass over so many frames, or as many as there still are."""
        passed = sum(self.playback.advance() is not None for _ in range(frames))
        if passed:
            self.stream.skip(passed * self.playback.frame_duration)
            self.left_out(passed)

    @property
    def may_lose_packets(self) -> bool:
        """Tell if packets may be lost on their way: unless the viewer reports that none was."""
        return self.last_report is None or self.last_report.cumulative_lost > 0

    def finish_frame(self) -> None:
        """Send the rest of the frame under way: half of one would be lost. Raises ViewerGone."""
        while self.stream.is_within_frame:
            self.stream.send_burst()

    def say_goodbye(self) -> None:
        """RFC 3550 section 6.6: BYE at the end of the movie and of the session."""
        if self.dialect is Dialect.STANDARD:
            try:
                now = time.monotonic()
                self.stream.report(self.cname, now, self._epoch + now, bye=True)
            except ViewerGone:
                pass  # then nobody needs to be told

    def take_report(self, data: bytes) -> bool:
        """Note and log what the viewer reports of its reception; tell if `data` was RTCP at all."""
        try:
            packets = rtcp.parse_compound(data)
        except PacketError:
            return False  # players open the way with junk
        for packet in packets:
            if isinstance(packet, (rtcp.ReceiverReport, rtcp.SenderReport)):
                for block in packet.blocks:
                    if block.ssrc == self.stream.ssrc:
                        self._note(block)
        return True

    def _note(self, block: rtcp.ReportBlock) -> None:
        """Keep the report; log it only now and then, as some players send one every second."""
        self.last_report = block
        now = time.monotonic()
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


def lab_stream(sink: Sink, marker: bool) -> RtpStream:
    """Return a stream numbered as lab clients need it: from 1, a number a frame."""
    return RtpStream(
        sink,
        ssrc=secrets.randbits(32),
        sequence_number=1,
        first_timestamp=0,
        mark_single_packets=marker,
    )


def standard_stream(sink: Sink) -> RtpStream:
    """Return a stream that begins at random numbers (RFC 3550 section 5.1)."""
    return RtpStream(
        sink,
        ssrc=secrets.randbits(32),
        sequence_number=secrets.randbits(16),
        first_timestamp=secrets.randbits(32),
        mark_single_packets=True,
    )
