"""Turns one stream's datagrams into frames: count, reorder, assemble, time."""

from __future__ import annotations

from math import inf
from typing import Protocol

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import ReceivedPacket, parse_packet
from rtplab.protocol.rtp.reorder import Arrival, ReorderBuffer
from rtplab.protocol.rtp.serial import SequenceUnwrapper, seq_delta
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.source import SourceChoice
from rtplab.receiving.rtp.statistics import Statistics
from rtplab.receiving.rtp.timeline import MediaTimeline

# A number this far ahead of or behind the highest is believed only if its successor follows: then
# the sender has restarted its numbering. RFC 3550 appendix A.1 has these for a stream of 50
# packets a second. 1080p has thousands, so a number may be off by this many seconds of packets,
MAX_DROPOUT = 3000
MAX_MISORDER = 100
MISORDER_TIME = 2.0
# but never by more than a quarter of all numbers: beyond that their direction is ambiguous.
MOST_NUMBERS = 1 << 14
# How long a packet that overtook another waits for it, in seconds.
REORDER_PATIENCE = 0.1


class Assembler(Protocol):
    """Assembles the payloads of one kind of stream into JPEGs."""

    @property
    def problem(self) -> str: ...
    def add(self, sequence: int, packet: ReceivedPacket) -> list[tuple[int, bytes]]: ...


class NumberRange:
    """Which numbers continue the numbering so far (RFC 3550 appendix A.1), by the packet rate.

    All numbers here are extended by their cycles.
    """

    def __init__(self) -> None:
        # The highest number at two moments, MISORDER_TIME or more apart.
        self._before: tuple[int, float] | None = None
        self._mark: tuple[int, float] | None = None

    def look(self, highest: int, now: float) -> None:
        """This is the highest number of all packets up to `now`."""
        if self._mark is None or now - self._mark[1] >= MISORDER_TIME:
            self._before, self._mark = self._mark, (highest, now)

    def pause(self) -> None:
        """The stream is paused; the time says nothing about how much is missing afterwards."""
        self._before = self._before and (self._before[0], -inf)
        self._mark = self._mark and (self._mark[0], -inf)

    def has(self, step: int, highest: int, last_arrival: float, now: float) -> bool:
        """Tell if a number outside the bounds of A.1 may still belong to this numbering.

        `step` is how far it is ahead of the highest so far, or behind it if negative.
        `last_arrival` is the arrival time of its last packet.
        """
        if not -MOST_NUMBERS < step < MOST_NUMBERS:
            return False
        if step < 0:  # too late at the beginning to tell
            return step > -MAX_DROPOUT if self._before is None else highest + step > self._before[0]
        if self._mark is None:
            return False
        number, then = self._before or self._mark
        rate = (highest - number) / max(1.0, last_arrival - then)
        return step < rate * (now - last_arrival + MISORDER_TIME)


class Reception:
    """Takes the RTP datagrams of one stream and returns its frames. No socket, clock or thread.

    Each step is an object. The other attributes connect the steps or are read by the client, so
    there are more than in other classes.
    """

    def __init__(
        self,
        assembler: Assembler,
        patience: float = REORDER_PATIENCE,
        choice: SourceChoice | None = None,
    ) -> None:
        """`choice` selects the source to follow; None treats all packets as from one source."""
        self.ssrc: int | None = None  # of the packets received
        self.choice = choice
        self.first_number: int | None = None  # of the stream, if the server stated it
        self.expected_version: int | None = None  # of RTP; None: any
        self.statistics = Statistics()
        self.malformed = 0  # datagrams that were no RTP packets of this stream
        self.last_arrival: float | None = None  # of anything, RTP or not
        self.longest_gap = 0.0  # seconds between two frames since the last pause
        self.unshown = 0  # datagrams since the last frame, or since PLAY
        self._refused = 0  # those among them that the assembler never saw
        self._refusal = ""  # why the last of those was refused
        self.assembler = assembler
        self._unwrapper = SequenceUnwrapper()
        self._reorder = ReorderBuffer(patience)
        self._timeline = MediaTimeline()
        self._last_frame: float | None = None  # when it was whole
        self._successor: int | None = None  # of a number that was too far off to be accepted
        self._range = NumberRange()
        self._last_packet: ReceivedPacket | None = None
        self._mixed_timestamp: int | None = None  # of a picture with packets of two sources

    def receive(self, datagrams: list[bytes], now: float) -> list[Frame]:
        """Take datagrams that arrived at `now`; return the frames that are complete.

        These include frames whose wait for late packets is over at `now`.
        """
        if datagrams:
            self.last_arrival = now
            self.unshown += len(datagrams)
        for datagram in datagrams:
            self._take(datagram, now)
        if self._unwrapper.highest is not None:
            self._range.look(self._unwrapper.highest, now)
        frames = []
        for sequence, packet in self._reorder.release(now):
            for number, data in self.assembler.add(sequence, packet):
                frames.append(self._frame(number, data, packet.timestamp, now))
        return frames

    def deadline(self) -> float | None:
        """When to call `receive` if nothing arrives; None: never."""
        return self._reorder.deadline()

    @property
    def problem(self) -> str:
        """Why the packets since the last frame made no frame; "" if nothing is wrong."""
        if 2 * self._refused > self.unshown:
            return self._refusal
        return self.assembler.problem or self._refusal

    @property
    def patience(self) -> float:
        """Seconds for which a packet that overtook another waits for it."""
        return self._reorder.patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._reorder.patience = seconds

    @property
    def trusts_timestamps(self) -> bool:
        """Tell if the stream's timestamps look like 90 kHz ticks."""
        return self._timeline.trusts_timestamps

    def begin(self) -> None:
        """PLAY has been sent: packets received so far do not belong to it."""
        self.unshown = self._refused = 0
        self._refusal = ""

    def paused(self) -> None:
        """The stream is paused until the next PLAY."""
        self.statistics.paused()
        self._timeline.paused()
        self._range.pause()
        self._last_frame, self.longest_gap = None, 0.0
        self.source_left()

    def expect(
        self, assembler: Assembler, choice: SourceChoice | None, version: int | None
    ) -> None:
        """Receive the stream that SETUP negotiated.

        `version` is the RTP version (RFC 3550 section 5.1: 2); None accepts any, for lab servers.
        """
        self.assembler, self.choice, self.expected_version = assembler, choice, version

    def source_left(self) -> None:
        """The source has sent BYE or is paused: another may take its place."""
        if self.choice is not None:
            self.choice.left()

    def _take(self, datagram: bytes, now: float) -> None:
        try:
            packet = parse_packet(datagram)
        except PacketError as error:
            self.malformed += 1
            self._refuse(f"they are not RTP ({error})")
            return
        ssrc = packet.ssrc
        if self.expected_version not in (None, packet.version):
            self.malformed += 1
            self._refuse(f"they are not RTP (version {packet.version}, not 2)")
        elif self.choice is None or ssrc == self.ssrc:
            self.ssrc = ssrc
            self._count_in(packet, len(datagram), now)
        else:
            self._choose(self.choice, packet, len(datagram), now)

    def _choose(self, choice: SourceChoice, packet: ReceivedPacket, size: int, now: float) -> None:
        """Take a packet of a source that is not the one we follow."""
        silence = now - (self.statistics.last_arrival or 0.0)
        packets = choice.followed(packet, silence)
        self.malformed += 1 - len(packets)  # the others were counted when they arrived
        if not packets:
            self._refuse(f"their SSRC is {packet.ssrc:08X}, not that of the stream")
        if packets and self._last_packet is not None:
            self._mixed_timestamp = self._last_packet.timestamp
            self._restart()
        for followed in packets:
            self.ssrc = followed.ssrc
            self._count_in(followed, size, now)

    def _count_in(self, packet: ReceivedPacket, size: int, now: float) -> None:
        number, highest = packet.sequence_number, self._unwrapper.highest
        if highest is not None:
            step = seq_delta(number, highest)
            is_near = -MAX_MISORDER < step < MAX_DROPOUT or self._is_on_its_way(step, highest, now)
            if not is_near and not self._begins_anew(number):
                self._refuse("their sequence numbers are not consecutive")
                return
        self._successor = None
        self._last_packet = packet
        sequence = self._unwrapper.unwrap(number)
        if highest is None:
            self._wait_for_beginning(number, sequence)
        is_new = self.statistics.arrived(sequence, size, now)
        if self._timeline.trusts_timestamps:
            self.statistics.stamped(packet.timestamp, now, packet.marker)
        if self._mixed_timestamp is not None and self._is_mixed(packet):
            return
        arrival = self._reorder.add(sequence, packet, now)
        if arrival is not Arrival.ACCEPTED:
            self._count_useless(arrival, is_new)

    def _is_on_its_way(self, step: int, highest: int, now: float) -> bool:
        return self._range.has(step, highest, self.statistics.last_arrival or now, now)

    def _refuse(self, why: str) -> None:
        self._refused += 1
        self._refusal = why

    def _is_mixed(self, packet: ReceivedPacket) -> bool:
        """Tell if a packet would go into a picture begun by the previous source.

        The timestamp decides; if it is always the same, the marker ends the picture.
        """
        is_mixed = packet.timestamp == self._mixed_timestamp
        if not is_mixed or packet.marker:
            self._mixed_timestamp = None
        return is_mixed

    def _count_useless(self, arrival: Arrival, is_new: bool) -> None:
        self._refuse("they are duplicates, or arrive after their frame was given up")
        if arrival is Arrival.DUPLICATE or not is_new:
            self.statistics.duplicates += 1
        else:
            self.statistics.late += 1

    def _frame(self, number: int, data: bytes, timestamp: int, now: float) -> Frame:
        media_time = self._timeline.frame(timestamp, now)
        if not self._timeline.trusts_timestamps:
            self.statistics.timed(media_time, now)
        self.statistics.frames += 1
        if self._last_frame is not None:
            self.longest_gap = max(self.longest_gap, now - self._last_frame)
        self._last_frame = now
        self.unshown = self._refused = 0
        self._refusal = ""
        return Frame(data, number, timestamp, media_time, now)

    def _wait_for_beginning(self, number: int, sequence: int) -> None:
        """RFC 2326 section 12.33: packets before the first to arrive may only be late.

        If the server's number is wrong, the first frame is delayed by our patience.
        """
        if self.first_number is not None:
            overtaken = seq_delta(number, self.first_number)
            if 0 < overtaken < MAX_DROPOUT:
                self._reorder.begin(sequence - overtaken)

    def _begins_anew(self, sequence_number: int) -> bool:
        """RFC 3550 appendix A.1: two packets in a row after a jump restart the numbering."""
        if sequence_number != self._successor:
            self._successor = (sequence_number + 1) & 0xFFFF
            return False
        self._restart()
        return True

    def _restart(self) -> None:
        self._unwrapper = SequenceUnwrapper()
        self._range = NumberRange()
        self._reorder.restart()
        self.statistics.restarted()
