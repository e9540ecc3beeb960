"""The RTP and RTCP of one session, from the server's packets to frames."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtplab.clock import steady
from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import InterleavedFrame
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.gate import Gate, Passage
from rtplab.receiving.rtp.impairment import Conditions, Impairment
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtp.reports import ReceiverReporter
from rtplab.receiving.rtp.rtpsocket import Batch, Clock, RtpSocket

# Some Java servers of the lab send no second frame until a report comes to this port of theirs.
LAB_RTCP_PORT = 19001
# If no packet follows the first frame for this many seconds, the server is one of those.
LAB_STALL = 1.0
LAB_REPORT_INTERVAL = 0.4  # seconds between reports, as their own clients send them

# A BYE waits for media that was there before it, but not for a flood: after this many readings
# more than the socket can hold has been read.
MOST_BEHIND = 100

HIGHEST_PORT = 65535
CLOCK_WAS_SET = 0.5  # seconds: a larger change against our clock means that the wall clock was set


class MediaReceiver:
    """Receives one stream, on its own UDP ports or on channels of the RTSP connection.

    One thread calls `listen` (UDP), or for TCP `take_interleaved`, and at each `deadline`
    `release` and `interleaved_report`.

    It has more attributes than other classes: it stands between the ports, the reception, the
    reports, the bad network and an observer, and knows which of the server's ports they are about.
    """

    def __init__(
        self,
        reception: Reception,
        deliver: Callable[[list[Frame]], None],
        said_goodbye: Callable[[], None],
        clock: Clock = steady,
        wall_clock: Clock = time.time,
    ) -> None:
        """`deliver` is called with each frame as it arrives, `said_goodbye` at the server's BYE.

        `wall_clock` gives Unix time, for the observer.
        """
        self.reception = reception
        self.reporter = ReceiverReporter(clock())
        self._clock = clock
        self._wall_clock = wall_clock
        self._wall_at_zero = wall_clock() - clock()
        self.observer: Observer | None = None
        self.impairment = Impairment(Conditions())
        self.transport = Transport()  # as the server answered SETUP
        self.stray = ""  # the origin of packets that were not accepted, as the end of a sentence
        self._deliver = deliver
        self._said_goodbye = said_goodbye
        self._gate = Gate()
        self._seen_ports: tuple[int, int] | None = None  # of the server, from which packets arrive
        self._rtp_source = 0  # the source port of the last delayed packet
        self._readings_behind = 0  # in a row after which more media waited
        self._is_leaving = False
        self._is_paused = True
        self._lab_report_at: float | None = None  # when the last report to LAB_RTCP_PORT was sent

    def hold(self) -> None:
        """Hold packets that arrive from now on: PLAY has been sent, and its reply is awaited."""
        self._gate.hold()
        self.reception.begin()

    def let_in(self, first_number: int | None = None) -> None:
        """PLAY was answered. The reply may state the number of the first packet.

        Over UDP, wake `listen` afterwards.
        """
        self.reception.first_number = first_number
        has_begun = self._gate.early or self.impairment.deadline() is not None
        if not has_begun:  # a BYE before the first packet was that of an earlier PLAY
            self.reporter.sender_said_goodbye = False
        self.reception.paused()  # packets may have come after the reply to PAUSE
        self._gate.open()
        self._is_paused = False

    def pause(self) -> None:
        """The stream is paused until the next PLAY."""
        self._is_paused = True
        self.reception.paused()

    def leave(self) -> None:
        """TEARDOWN has been sent: from now on we send the server nothing but BYE."""
        self._is_leaving = True

    def give_up(self) -> None:
        """PLAY was refused or not answered: early packets are discarded, but not a BYE.

        Over UDP, wake `listen` afterwards.
        """
        if self._gate.give_up() and self.transport.interleaved:
            self._pass_goodbye_on()

    def listen(self, ports: RtpSocket, with_rtcp: bool) -> None:
        """Receive over UDP until `ports` are woken up. The caller still owns them."""
        try:
            while (batches := ports.receive(self._next_duty(with_rtcp))) is not None:
                self._readings_behind = self._readings_behind + 1 if ports.is_behind else 0
                self._take(batches)
                if with_rtcp:
                    self._send_report(ports)
                else:
                    self._send_lab_report(ports)
        finally:
            if with_rtcp and self._server_ports:
                self._send_rtcp(ports, self.reporter.goodbye(), self._server_ports[1])

    @property
    def _server_ports(self) -> tuple[int, int] | None:
        """The server's UDP ports for our RTP and RTCP; None if neither stated nor seen."""
        return self.transport.server_port or self._seen_ports

    def _next_duty(self, with_rtcp: bool) -> float | None:
        """When `listen` must act if nothing arrives."""
        moment = self.deadline(with_rtcp)
        return moment if with_rtcp else _earlier(moment, self._lab_report_due())

    def _send_report(self, ports: RtpSocket) -> None:
        """Until media arrives, also keep the firewall open for it."""
        server_ports = self._server_ports
        if server_ports is None or self._is_leaving or self._clock() < self.reporter.due:
            return
        if self.reception.ssrc is None:
            opening = pack_header(0, 0, 0, 0, self.reporter.ssrc)
            ports.send_rtp(opening, server_ports[0])
            self._show_sent(opening, server_ports[0], is_rtcp=False)
        self._send_rtcp(ports, self._report(), server_ports[1])

    def _send_rtcp(self, ports: RtpSocket, report: bytes, port: int) -> None:
        ports.send_rtcp(report, port)
        self._show_sent(report, port, is_rtcp=True)

    def _show_sent(self, data: bytes, port: int, is_rtcp: bool) -> None:
        if self.observer is not None:
            when = self._wall_time(self._clock())
            self.observer.packet_sent(data, port, is_rtcp, when)

    def _send_lab_report(self, ports: RtpSocket) -> None:
        due = self._lab_report_due()
        if due is not None and self._clock() >= due:
            self._lab_report_at = self._clock()
            ports.send_rtp(self._report(), LAB_RTCP_PORT)

    def _lab_report_due(self) -> float | None:
        """When to send a report to a lab server that seems to wait for one; None: never."""
        if self._is_paused or self._is_leaving:
            return None
        if self._lab_report_at is not None:
            return self._lab_report_at + LAB_REPORT_INTERVAL
        last = self.reception.last_arrival
        return (
            last + LAB_STALL if last is not None and self.reception.statistics.frames == 1 else None
        )

    def take_interleaved(self, frame: InterleavedFrame) -> None:
        """Take a packet off the RTSP connection; one on an unknown channel is ignored."""
        channels = self.transport.interleaved
        if channels is not None and frame.channel in channels:
            self._take([Batch([frame.payload], 0, frame.channel == channels[1])])
        elif channels is not None:
            self.stray = f"packets arrive on channel {frame.channel}, which SETUP did not negotiate"

    def deadline(self, with_reports: bool) -> float | None:
        """When a report or `release` is due if nothing arrives."""
        moment = self.impairment.deadline()
        if self._gate.passage is not Passage.HELD:
            early = self._gate.early
            moment = _earlier(moment, early[0][1] if early else self.reception.deadline())
        can_report = self._server_ports or self.transport.interleaved
        if with_reports and can_report and not self._is_leaving:
            moment = _earlier(moment, self.reporter.due)
        return moment

    def release(self) -> None:
        """Deliver packets delayed for long enough. Over UDP, `listen` does this itself."""
        moment = self.deadline(with_reports=False) if self.transport.interleaved else None
        if moment is not None and moment <= self._clock():
            self._take([])

    def interleaved_report(self) -> bytes | None:
        """Return the receiver report that is due, framed for the RTSP connection.

        Not before PLAY is answered: until then live555 reads the connection as text, and gortsplib
        and go2rtc hang up.
        """
        is_due = self._clock() >= self.reporter.due
        if self.transport.interleaved is None or self._is_leaving or not is_due:
            return None
        report = self._report()
        self._show_sent(report, 0, is_rtcp=True)
        channel = self.transport.interleaved[1]
        return b"$" + bytes([channel]) + len(report).to_bytes(2, "big") + report

    def _take(self, batches: list[Batch]) -> None:
        now = self._clock()
        batches = self._impaired([batch for batch in batches if self._is_from_stream(batch)], now)
        self._show(batches, now)
        rtp = [packet for batch in batches if not batch.is_rtcp for packet in batch.datagrams]
        frames = self._frames(rtp, now)
        if frames:
            self._deliver(frames)
        for batch in batches:
            if batch.is_rtcp:
                self._take_reports(batch.datagrams, now)
        self._pass_goodbye_on()

    def _impaired(self, batches: list[Batch], now: float) -> list[Batch]:
        """The packets that the simulated network has let through by now. RTCP is not affected."""
        if self._gate.passage is Passage.SHUT or self.impairment.idle:
            return batches
        add = self.impairment.add
        for batch in batches:
            if not batch.is_rtcp:
                self._rtp_source = batch.source_port
                dropped = [packet for packet in batch.datagrams if not add(packet, now)]
                if dropped and self.observer is not None:
                    when = self._wall_time(now)
                    self.observer.packets_dropped(dropped, batch.source_port, when)
        through = [Batch(self.impairment.due(now), self._rtp_source, False)]
        return through + [batch for batch in batches if batch.is_rtcp]

    def _frames(self, packets: list[bytes], now: float) -> list[Frame]:
        """Return the frames that are complete with these packets, or by now."""
        frames = []
        for arrived, moment in self._gate.arrive(packets, now):
            frames += self.reception.receive(arrived, moment)
        return frames

    def _show(self, batches: list[Batch], now: float) -> None:
        if self.observer is not None:
            when = self._wall_time(now)
            for datagrams, source_port, is_rtcp in batches:
                if datagrams:
                    self.observer.packets_received(datagrams, source_port, is_rtcp, when)

    def _wall_time(self, now: float) -> float:
        """Unix time at `now`. Two packets are as far apart as in our statistics.

        This does not hold if the clock is set between them, or the machine sleeps.
        """
        at_zero = self._wall_clock() - self._clock()
        if abs(at_zero - self._wall_at_zero) > CLOCK_WAS_SET:
            self._wall_at_zero = at_zero
        return self._wall_at_zero + now

    def _is_from_stream(self, batch: Batch) -> bool:
        """Tell if datagrams came from the port that SETUP negotiated, if it did."""
        ports, port = self.transport.server_port, batch.source_port
        if not port or (ports and port in ports):
            return True
        if not ports:
            is_new = self._seen_ports is None and self._gate.passage is not Passage.SHUT
            if is_new and not batch.is_rtcp and port < HIGHEST_PORT:
                self._seen_ports = port, port + 1  # RFC 3550 section 11
            return True
        self.stray = f"packets arrive from port {batch.source_port}, which SETUP did not negotiate"
        return False

    def _take_reports(self, packets: list[bytes], now: float) -> None:
        reception = self.reception
        sender = self.transport.ssrc or None if reception.ssrc is None else reception.ssrc
        for packet in packets:
            self.reporter.take(packet, now, sender)
        if self.reporter.sender_said_goodbye:
            reception.source_left()

    def end(self) -> None:
        """The server has announced the end of the stream without a BYE.

        Over UDP, wake `listen` afterwards.
        """
        # Over UDP, more may be waiting until `listen` has looked again.
        self._readings_behind = 0 if self.transport.interleaved else 1
        self.reporter.sender_said_goodbye = True
        if self.transport.interleaved:
            self._pass_goodbye_on()

    def _pass_goodbye_on(self) -> None:
        """Report the end of the stream, once no packet from before BYE is held back."""
        if not self.reporter.sender_said_goodbye:  # first of all: another thread may call `end`
            return
        if self._gate.passage is Passage.SHUT:
            self.reporter.sender_said_goodbye = False
        is_held = (
            self._gate.passage is Passage.HELD
            or self.deadline(with_reports=False) is not None
            or 0 < self._readings_behind < MOST_BEHIND
        )
        if self.reporter.sender_said_goodbye and not is_held:
            self.reporter.sender_said_goodbye = False
            self._said_goodbye()

    def _report(self) -> bytes:
        reception = self.reception
        return self.reporter.report(reception.statistics, reception.ssrc, self._clock())


def _earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two moments; None is never."""
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
