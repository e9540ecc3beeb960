"""One stream's way from datagrams to frames: count, order, put together, time."""

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

# A number so far ahead of or behind the highest is believed only when its successor follows: then
# the sender has begun to count anew. RFC 3550 appendix A.1 means these for a stream of 50 packets a
# second. 1080p has thousands, so a stream may be as far off as it is in so many seconds,
MAX_DROPOUT = 3000
MAX_MISORDER = 100
MISORDER_TIME = 2.0
# but never by more than a quarter of all numbers: then it is no longer plain which way they go.
MOST_NUMBERS = 1 << 14
# How long a packet that overtook another waits for it, in seconds.
REORDER_PATIENCE = 0.1


class Assembler(Protocol):
    """What puts the payloads of one kind of stream together to JPEGs."""

    @property
    def problem(self) -> str: ...
    def add(self, sequence: int, packet: ReceivedPacket) -> list[tuple[int, bytes]]: ...


class NumberRange:
    """Which numbers belong to the numbering so far (RFC 3550 appendix A.1), by the stream's pace.

    All numbers here have their cycles above them.
    """

    def __init__(self) -> None:
        # The highest number at two moments, each MISORDER_TIME or more after the one before.
        self._before: tuple[int, float] | None = None
        self._mark: tuple[int, float] | None = None

    def look(self, highest: int, now: float) -> None:
        """Packets have come until `now`, of which this number is the highest."""
        if self._mark is None or now - self._mark[1] >= MISORDER_TIME:
            self._before, self._mark = self._mark, (highest, now)

    def pause(self) -> None:
        """The stream stands still: how long says nothing about how much is missing afterwards."""
        self._before = self._before and (self._before[0], -inf)
        self._mark = self._mark and (self._mark[0], -inf)

    def has(self, step: int, highest: int, last_arrival: float, now: float) -> bool:
        """Tell if a number beyond the bounds of A.1 may be of this numbering all the same.

        `step` is how far it is ahead of the highest so far, or behind it if negative.
        `last_arrival` is when the last packet of the numbering came.
        """
        if not -MOST_NUMBERS < step < MOST_NUMBERS:
            return False
        if step < 0:  # so late at the beginning that nobody can tell
            return step > -MAX_DROPOUT if self._before is None else highest + step > self._before[0]
        if self._mark is None:
            return False
        number, then = self._before or self._mark
        rate = (highest - number) / max(1.0, last_arrival - then)
        return step < rate * (now - last_arrival + MISORDER_TIME)


class Reception:
    """Takes the RTP datagrams of one stream, gives its frames. No socket, no clock, no thread.

    Each step on the way is an object. What is here besides is what goes from one to the next, and
    what the client asks for: so there is more of it than in other classes.
    """

    def __init__(
        self,
        assembler: Assembler,
        patience: float = REORDER_PATIENCE,
        choice: SourceChoice | None = None,
    ) -> None:
        """`choice` says which source to follow; None takes all packets for those of one source."""
        self.ssrc: int | None = None  # of the packets that came
        self.choice = choice
        self.first_number: int | None = None  # of the stream, where the server has said it
        self.expected_version: int | None = None  # of RTP; None: any
        self.statistics = Statistics()
        self.malformed = 0  # datagrams that were no RTP packets of this stream
        self.last_arrival: float | None = None  # of anything, RTP or not
        self.longest_gap = 0.0  # seconds between two frames since the last pause
        self.unshown = 0  # datagrams since the last frame, or since PLAY
        self._refused = 0  # of those, which the assembler never saw, and
        self._refusal = ""  # why the last of them did not get there
        self.assembler = assembler
        self._unwrapper = SequenceUnwrapper()
        self._reorder = ReorderBuffer(patience)
        self._timeline = MediaTimeline()
        self._last_frame: float | None = None  # when it was whole
        self._successor: int | None = None  # of a number that was too far off to be believed
        self._range = NumberRange()
        self._last_packet: ReceivedPacket | None = None
        self._mixed_timestamp: int | None = None  # of a picture that two sources have sent

    def receive(self, datagrams: list[bytes], now: float) -> list[Frame]:
        """Take datagrams that arrived at `now`; return the frames that are complete.

        Those are also the frames for which nothing is waited any more at `now`.
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
        """When `receive` has to be called although nothing arrived; None: never."""
        return self._reorder.deadline()

    @property
    def problem(self) -> str:
        """Why no frame has come of what came since the last one; "" as long as nothing is wrong."""
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
        """PLAY is asked for: what has come so far was not meant by it."""
        self.unshown = self._refused = 0
        self._refusal = ""

    def paused(self) -> None:
        """The stream stands still until the next PLAY."""
        self.statistics.paused()
        self._timeline.paused()
        self._range.pause()
        self._last_frame, self.longest_gap = None, 0.0
        self.source_left()

    def expect(
        self, assembler: Assembler, choice: SourceChoice | None, version: int | None
    ) -> None:
        """Receive what SETUP has agreed on.

        `version` is that of RTP (RFC 3550 section 5.1: 2); None takes any, as of a lab server.
        """
        self.assembler, self.choice, self.expected_version = assembler, choice, version

    def source_left(self) -> None:
        """The source has said BYE, or stands still: another may take its place."""
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
        self.malformed += 1 - len(packets)  # the others had been counted when they came
        if not packets:
            self._refuse(f"their SSRC is {packet.ssrc:08X}, which is not the stream's")
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
                self._refuse("their sequence numbers are in no order")
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
        """Tell if a packet would go into the picture that the source before has begun.

        Its timestamp says so; where that is always the same, the marker is the end.
        """
        is_mixed = packet.timestamp == self._mixed_timestamp
        if not is_mixed or packet.marker:
            self._mixed_timestamp = None
        return is_mixed

    def _count_useless(self, arrival: Arrival, is_new: bool) -> None:
        self._refuse("they come twice, or after what they belong to was given up")
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
        """RFC 2326 section 12.33: those before the first that came may only have been overtaken.

        Where the server is wrong about it, the first frame comes later by our patience.
        """
        if self.first_number is not None:
            overtaken = seq_delta(number, self.first_number)
            if 0 < overtaken < MAX_DROPOUT:
                self._reorder.begin(sequence - overtaken)

    def _begins_anew(self, sequence_number: int) -> bool:
        """RFC 3550 appendix A.1: two packets in a row make a wild jump a new beginning."""
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
