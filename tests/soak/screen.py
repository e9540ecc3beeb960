"""What a viewer sees: RTP put together to frames, each compared with the film's and timed."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, replace

from standard_clients import RtpHeader, put_together, read_rtp
from standard_servers import Picture

from soak.films import FPS, Film
from soak.tally import Fault, Tally

CLOCK_RATE = 90_000
HALF = 1 << 31


@dataclass
class Stretch:
    """What one PLAY brings: which frame has which timestamp, and when each is due."""

    timestamp: int  # of the first frame
    first: int  # its number, from 1
    step: int = 1  # from one frame that is sent to the next
    duration: float = 1 / FPS  # of a frame, in seconds of the film as it is sent
    speed: float = 1.0
    last: int = 0  # the number of the last frame
    cyclic: bool = False  # the film begins again, and timestamps go on

    def index(self, timestamp: int) -> int | None:
        """How many frames after the first; None when it is of no frame, or before the first."""
        ticks = round(self.duration * CLOCK_RATE)
        distance = (timestamp - self.timestamp) & 0xFFFFFFFF
        return None if distance >= HALF or distance % ticks else distance // ticks

    def is_over_at(self, timestamp: int) -> bool:
        """Tell if the last frame's time has come by then, by the clock of the timestamps."""
        frames = (self.last - self.first) // self.step
        distance = (timestamp - self.timestamp) & 0xFFFFFFFF
        return frames * round(self.duration * CLOCK_RATE) <= distance < HALF

    def number(self, index: int) -> int:
        number = self.first + index * self.step
        return (number - 1) % self.last + 1 if self.cyclic else number

    @property
    def interval(self) -> float:
        return self.duration / self.speed


class Screen:
    """One session's RTP. Every packet must be the next, every frame the film's."""

    def __init__(self, name: str, film: Film, tally: Tally, sequence_number: int | None) -> None:
        """`sequence_number` is the first packet's, where it is known."""
        self._name = name
        self._film = film
        self._tally = tally
        self.next_sequence_number = sequence_number
        self.ssrc: int | None = None
        self.stretches: list[Stretch] = []
        self.last_number = 0
        self.lost = 0  # packets
        self.left_out = 0  # frames that the server had no time for
        self._next_timestamp: int | None = None
        self._is_quiet = True  # nothing may come
        self._held: list[tuple[bytes, float]] | None = None
        self._packets: list[RtpHeader] = []  # of the frame that is coming
        self._base = 0.0  # when the first frame would have been on time, by the best of them
        self._on_time = 0.0

    # ------------------------------------------------------------------ what was asked for

    def hold(self) -> None:
        """Look at nothing until the reply to PLAY says what it is."""
        self._held = self._held or []

    def play(self, stretch: Stretch, sequence_number: int | None = None) -> None:
        """The reply has come: this is what has come since, and comes now."""
        self._is_quiet = False
        if sequence_number is not None:
            self._old_ones_before(sequence_number)
        self.stretches = [*self.stretches[-1:], stretch]
        self._next_timestamp = stretch.timestamp
        self._base = 0.0
        self._release()

    def go_on(self, sequence_number: int) -> None:
        """The reply has come, and nothing has changed."""
        self._old_ones_before(sequence_number)
        self._release()

    def stop(self) -> None:
        """PAUSE has been answered, or the film is over: nothing more may come."""
        self._release()
        self._is_quiet = True

    @property
    def has_gaps(self) -> bool:
        """Whether frames are missing, for one reason or another."""
        return self.lost > 0 or self.left_out > 0

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for packet, now in held:
            self.take(packet, now)

    def _old_ones_before(self, sequence_number: int) -> None:
        """What was held is of the stretch before, up to the number that the reply names."""
        held, self._held = self._held or [], None
        later = []
        for packet, now in held:
            (number,) = struct.unpack_from(">H", packet, 2)
            if (number - sequence_number) & 0xFFFF < 0x8000:
                later.append((packet, now))
            else:
                self.take(packet, now)
        self._held = later
        self._expect(sequence_number)

    # ------------------------------------------------------------------ what comes

    def take(self, packet: bytes, now: float | None = None) -> None:
        """One RTP packet. Raises Fault."""
        now = time.monotonic() if now is None else now
        if self._held is not None:
            self._held.append((packet, now))
            return
        try:
            header = read_rtp(packet)
        except (AssertionError, struct.error) as error:
            raise Fault(f"{self._name}: no RTP packet") from error
        if self._is_quiet:
            raise Fault(f"{self._name}: RTP while nothing plays")
        self._check(header)
        if self._packets and self._packets[0].timestamp != header.timestamp:
            if not self.lost:
                raise Fault(f"{self._name}: a frame without its end")
            self._packets = []
        self._packets.append(header)
        if self._is_whole(header):
            packets, self._packets = self._packets, []
            self._compare(packets, now)

    def _check(self, header: RtpHeader) -> None:
        if header.payload_type != 26:
            raise Fault(f"{self._name}: payload type {header.payload_type}")
        if self.ssrc is None:
            self.ssrc = header.ssrc
        if header.ssrc != self.ssrc:
            raise Fault(f"{self._name}: SSRC {header.ssrc:08X}, not {self.ssrc:08X}")
        self._expect(header.sequence)
        self.next_sequence_number = (header.sequence + 1) & 0xFFFF

    def _expect(self, sequence_number: int) -> None:
        """Count what is missing before this number, and give up the frame it belonged to."""
        if self.next_sequence_number is None:
            self.next_sequence_number = sequence_number
        missing = (sequence_number - self.next_sequence_number) & 0xFFFF
        if missing >= 0x8000:
            raise Fault(f"{self._name}: packet {sequence_number} comes twice or too late")
        if missing:
            self.lost += missing
            self._packets = []
            self.next_sequence_number = sequence_number

    def _is_whole(self, header: RtpHeader) -> bool:
        return header.marker

    def _compare(self, packets: list[RtpHeader], now: float) -> None:
        stretch, index = self._place(packets[0].timestamp)
        self._count_left_out(stretch, packets[0].timestamp)
        if not self._is_right(stretch.number(index), packets):
            if self.lost:  # its beginning was lost, so that it could not be told from a whole one
                return
            stretch, index = self._place_anew(stretch, index, packets)
        self.last_number = stretch.number(index)
        self._tally.frames[self._name] += 1
        self._tally.bytes += sum(len(packet.payload) for packet in packets)
        if stretch is self.stretches[-1]:
            self._time(now - index * stretch.interval, now)

    def _count_left_out(self, stretch: Stretch, timestamp: int) -> None:
        """Timestamps go on over frames that the server leaves out, sequence numbers do not."""
        ticks = round(stretch.duration * CLOCK_RATE)
        if self._next_timestamp is not None and not self.lost:
            self.leave_out(((timestamp - self._next_timestamp) & 0xFFFFFFFF) // ticks)
        self._next_timestamp = (timestamp + ticks) & 0xFFFFFFFF

    def leave_out(self, frames: int) -> None:
        """So many were not sent."""
        self.left_out += frames
        self._tally.left_out += frames

    def _place_anew(
        self, stretch: Stretch, index: int, packets: list[RtpHeader]
    ) -> tuple[Stretch, int]:
        """Find out where we are, if the film may have jumped. Raises Fault."""
        number = self._find(packets)
        if not (number and self._may_jump(stretch, number)):
            wrong = f"frame {stretch.number(index)} of {self._film.name}"
            raise Fault(
                f"{self._name}: {wrong} is not the file's" + f" but {number}" * (number > 0)
            )
        self.stretches = [replace(stretch, timestamp=packets[0].timestamp, first=number)]
        self._base = 0.0
        return self.stretches[-1], 0

    def _may_jump(self, stretch: Stretch, number: int) -> bool:
        """Frames may be left out beyond the end of a film that begins again."""
        return stretch.cyclic and self.left_out > 0

    def _place(self, timestamp: int) -> tuple[Stretch, int]:
        for stretch in reversed(self.stretches):
            index = stretch.index(timestamp)
            if index is not None:
                return stretch, index
        raise Fault(f"{self._name}: timestamp {timestamp} is of no frame")

    def _is_right(self, number: int, packets: list[RtpHeader]) -> bool:
        picture = picture_of(packets)
        last = self.stretches[-1].last
        return (
            picture is not None and 1 <= number <= last and self._film.has_picture(number, picture)
        )

    def _find(self, packets: list[RtpHeader]) -> int:
        picture = picture_of(packets)
        return self._film.number_of(picture) if picture is not None else 0

    def _time(self, started: float, now: float) -> None:
        """`started` is when the stretch has begun, if this frame is on time."""
        if not self._base or started <= self._base:
            self._base = started
            self._on_time = now
        elif self._tally.lateness(started - self._base, self._on_time):
            self._base = started  # those that follow are as late, for one reason
            self._on_time = now
        elif started - self._base < 0.1:
            self._on_time = now


def picture_of(packets: list[RtpHeader]) -> Picture | None:
    """The RFC 2435 picture that the packets make, None when they make none."""
    try:
        pictures = put_together(packets)
    except (AssertionError, struct.error):
        return None
    return pictures[0] if len(pictures) == 1 else None
