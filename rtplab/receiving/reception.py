"""One stream's way from datagrams to frames: count, order, put together, time."""

from __future__ import annotations

from typing import Protocol

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import MORE_MASK, payload_of
from rtplab.protocol.serial import SequenceUnwrapper, seq_delta
from rtplab.receiving.frames import Frame
from rtplab.receiving.reorder import ReorderBuffer, Verdict
from rtplab.receiving.statistics import Statistics
from rtplab.receiving.timeline import MediaTimeline
from RtpPacket import RtpPacket

# A number so far ahead of or behind the last is believed only when its successor follows: then
# the sender has begun to count anew (RFC 3550 appendix A.1).
MAX_DROPOUT = 3000
MAX_MISORDER = 100
# How long a packet that overtook another waits for it, in seconds.
REORDER_PATIENCE = 0.1


class Assembler(Protocol):
    """What puts the payloads of one kind of stream together to JPEGs."""

    def add(self, sequence: int, packet: RtpPacket) -> list[tuple[int, bytes]]: ...


class Reception:
    """Takes the RTP datagrams of one stream, gives its frames. No socket, no clock, no thread."""

    def __init__(
        self,
        assembler: Assembler,
        patience: float = REORDER_PATIENCE,
        expected_ssrc: int | None = None,
    ) -> None:
        """Packets of another SSRC than `expected_ssrc`, where one is known, are ignored."""
        self.ssrc: int | None = None  # of the packets that came
        self.expected_ssrc = expected_ssrc
        self.first_number: int | None = None  # of the stream, where the server has said it
        self.expected_version: int | None = None  # RFC 3550 section 5.1: 2; of a lab server any
        self.statistics = Statistics()
        self.malformed = 0  # datagrams that were no RTP packets of this stream
        self.assembler = assembler
        self._unwrapper = SequenceUnwrapper()
        self._reorder = ReorderBuffer(patience)
        self._timeline = MediaTimeline()
        self._successor: int | None = None  # of a number that was too far off to be believed
        self._last_sequence_number: int | None = None

    def receive(self, datagrams: list[bytes], now: float) -> list[Frame]:
        """Take datagrams that arrived at `now`; return the frames that are complete.

        Those are also the frames for which nothing is waited any more at `now`.
        """
        for datagram in datagrams:
            self._take(datagram, now)
        frames = []
        for sequence, packet in self._reorder.release(now):
            for number, data in self.assembler.add(sequence, packet):
                frames.append(self._frame(number, data, packet.timestamp(), now))
        return frames

    def deadline(self) -> float | None:
        """When `receive` has to be called although nothing arrived; None: never."""
        return self._reorder.deadline()

    def paused(self) -> None:
        """The stream stands still until the next PLAY."""
        self.statistics.paused()
        self._timeline.paused()

    def _take(self, datagram: bytes, now: float) -> None:
        packet = RtpPacket()
        try:
            packet.decode(datagram)
            if datagram[0] & MORE_MASK:
                packet.payload = payload_of(datagram)
        except PacketError:
            self.malformed += 1
            return
        ssrc = packet.ssrc()
        is_versioned = self.expected_version in (None, packet.version())
        if not is_versioned or self.expected_ssrc not in (None, ssrc):
            self.malformed += 1
            return
        number = packet.seqNum()
        is_first = self._last_sequence_number is None
        if not self._is_credible(number):
            return
        self.ssrc = ssrc
        sequence = self._unwrapper.unwrap(number)
        if is_first:
            self._wait_for_beginning(number, sequence)
        is_new = self.statistics.arrived(sequence, len(datagram), now)
        if self._timeline.trusts_timestamps:
            self.statistics.stamped(packet.timestamp(), now)
        verdict = self._reorder.add(sequence, packet, now)
        if verdict is not Verdict.ACCEPTED:
            self._count_useless(verdict, is_new)

    def _count_useless(self, verdict: Verdict, is_new: bool) -> None:
        if verdict is Verdict.DUPLICATE or not is_new:
            self.statistics.duplicates += 1
        else:
            self.statistics.late += 1

    def _frame(self, number: int, data: bytes, timestamp: int, now: float) -> Frame:
        media_time = self._timeline.frame(timestamp, now)
        if not self._timeline.trusts_timestamps:
            self.statistics.timed(media_time, now)
        self.statistics.frames += 1
        return Frame(data, number, timestamp, media_time, now)

    def _wait_for_beginning(self, number: int, sequence: int) -> None:
        """RFC 2326 section 12.33: those before the first that came may only have been overtaken.

        Where the server is wrong about it, the first frame comes later by our patience.
        """
        if self.first_number is not None:
            overtaken = seq_delta(number, self.first_number)
            if 0 < overtaken < MAX_MISORDER:
                self._reorder.begin(sequence - overtaken)

    def _is_credible(self, sequence_number: int) -> bool:
        """RFC 3550 appendix A.1: two packets in a row make a wild jump a new beginning."""
        last = self._last_sequence_number
        if last is not None and not -MAX_MISORDER < seq_delta(sequence_number, last) < MAX_DROPOUT:
            if sequence_number != self._successor:
                self._successor = (sequence_number + 1) & 0xFFFF
                return False
            self._restart()
        self._successor = None
        self._last_sequence_number = sequence_number
        return True

    def _restart(self) -> None:
        self._unwrapper = SequenceUnwrapper()
        self._reorder.restart()
        self.statistics.restarted()
