"""Tracks what becomes of each frame, from its packets and from the frames shown. No Tk.

A receiver sees packets only. Which frame one belongs to is told by its timestamp or, in the lab
dialect, by where a JPEG begins (FFD8); that packets are missing, by their sequence numbers; that
all of a frame's packets are, by gaps in the sequence numbers and in the timestamps.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import NamedTuple

from rtplab.protocol.rtp.jpeg import END_OF_IMAGE, START_OF_IMAGE
from rtplab.protocol.rtp.packet import ReceivedPacket
from rtplab.receiving.rtp.playout import OFFSET_WINDOW, RecentMinimum

MAX_FRAMES = 1500  # frames kept: one minute at 25 frames a second
MAX_KEPT = 40_000  # packets of these: 15 seconds of 1080p, some MB
MAX_UNSETTLED = 1000  # frames of uncertain fate: no stream has this many in two seconds
_SEARCHED = 64  # of the newest, for the one that a lab server's packet goes on with
MAX_NUMBERS = 1 << 14  # packets of one frame that are told apart
# Seconds after a frame's deadline until its fate is certain: nothing more of it arrives.
SETTLING = 1.0
_BEFORE_JPEG = 14  # bytes: digits or a header of the server's own may stand there (lab dialect)
_FAR = 3000  # packets between two frames: no loss, but another numbering (RFC 3550 appendix A.1)
_STEPS = 15  # steps of the timestamps of which the median is the usual one


class SenderClock:
    """When frames were sent and are due, by the fastest packet and the fastest whole frame.

    Those of one PLAY have one: the time of a pause is in no timestamp.
    """

    def __init__(self) -> None:
        self.packets = RecentMinimum(OFFSET_WINDOW)
        self.frames = RecentMinimum(OFFSET_WINDOW)

    def sent_at(self, time: float) -> float:
        """The latest moment at which this media time can have been sent, in our seconds."""
        return time + (self.packets.value or 0.0)

    def due_at(self, time: float, latency: float) -> float | None:
        """The playout deadline of a frame (see playout.py); None until a frame was whole."""
        offset = self.frames.value
        return None if offset is None else time + offset + latency


@dataclass(eq=False)
class LoggedFrame:
    """One frame. Times of arrival and display are Unix time in seconds."""

    index: int  # counts frames as they began to come
    first: int  # number of its first packet that came, with its cycles
    timestamp: int  # RTP's
    time: float  # seconds of media time
    clock: SenderClock
    first_arrival: float
    last_arrival: float
    numbers: set[int] = field(default_factory=set)  # of its packets, with their cycles
    begins: bool = False  # its first packet has come
    ends: bool = False  # its last one has
    is_first: bool = False  # of a PLAY
    shown_at: float | None = None
    decoded: bool = True
    is_kept: bool = True  # among the log's frames

    @property
    def missing(self) -> int:
        """The packets missing between the received ones."""
        return max(self.numbers) - self.first + 1 - len(self.numbers)

    @property
    def is_whole(self) -> bool:
        """Tell if all packets have arrived."""
        return self.begins and self.ends and not self.missing


class FrameCounts(NamedTuple):
    """Counts of frames and packets by what became of them."""

    sent: int = 0  # frames
    incomplete: int = 0  # a packet or all were lost
    late: int = 0  # all came, but not by the deadline: a later frame was shown
    undecoded: int = 0
    shown: int = 0
    packets: int = 0  # sent
    lost: int = 0  # of these
    bursts: int = 0  # runs of lost packets

    @property
    def whole(self) -> int:
        """Frames of which all packets arrived."""
        return self.sent - self.incomplete


class FrameLog:
    """The frames of one stream, counted by their fate."""

    def __init__(self, is_lab: bool) -> None:
        """`is_lab` tells in which dialect the stream comes."""
        self.frames: deque[LoggedFrame] = deque()  # the newest ones
        self._kept = 0  # packets of these
        self.counts = FrameCounts()
        self._is_lab = is_lab
        self._clock = SenderClock()
        # By timestamp or, in the lab dialect, by the number of the packet that begins it.
        self._unsettled: dict[int, LoggedFrame] = {}
        self._index = 0
        self._is_beginning = True
        self._before: LoggedFrame | None = None  # the last one that was settled
        self._steps: deque[float] = deque(maxlen=_STEPS)  # between frames without a gap, seconds

    @property
    def step(self) -> float:
        """Typical seconds between two frames; 0.0 if unknown."""
        return median(self._steps) if self._steps else 0.0

    def begin(self) -> None:
        """The stream pauses, or continues elsewhere with the next packet."""
        self._clock = SenderClock()
        self._is_beginning = True

    def add(self, number: int, packet: ReceivedPacket, time: float, when: float) -> LoggedFrame:
        """Take a packet; `number` has its cycles above it, `time` is its media time in seconds."""
        payload = packet.payload
        if self._is_lab:
            begins = payload.find(START_OF_IMAGE, 0, _BEFORE_JPEG) >= 0
        else:
            begins = payload[1:4] == bytes(3)  # RFC 2435 section 3.1.2: the fragment's offset
        frame = self._frame_of(number, packet.timestamp, begins)
        if frame is None:
            frame = LoggedFrame(
                self._index, number, packet.timestamp, time, self._clock, when, when
            )
            self._index += 1
            frame.is_first, self._is_beginning = self._is_beginning, False
            self._unsettled[number if self._is_lab else packet.timestamp] = frame
            self.frames.append(frame)
            if len(self._unsettled) > MAX_UNSETTLED:
                self._settle(next(iter(self._unsettled)))
        frame.last_arrival = when
        frame.begins |= begins
        frame.ends |= packet.marker or (self._is_lab and payload.endswith(END_OF_IMAGE))
        frame.first = min(frame.first, number)
        if number not in frame.numbers and len(frame.numbers) < MAX_NUMBERS:
            frame.numbers.add(number)
            self._kept += frame.is_kept
        while self._kept > MAX_KEPT or len(self.frames) > MAX_FRAMES:
            oldest = self.frames.popleft()
            oldest.is_kept = False
            self._kept -= len(oldest.numbers)
        frame.clock.packets.add(when - frame.time, when)
        if frame.ends and frame.is_whole:
            frame.clock.frames.add(when - frame.time, when)
        return frame

    def _frame_of(self, number: int, timestamp: int, begins: bool) -> LoggedFrame | None:
        """The frame that a packet belongs to, if one of its packets has come."""
        if not self._is_lab or begins:
            return self._unsettled.get(number if self._is_lab else timestamp)
        newest = islice(reversed(self._unsettled.values()), _SEARCHED)
        return next((frame for frame in newest if frame.first <= number), None)

    def show(self, timestamp: int, arrival: float, when: float, decoded: bool) -> None:
        """A frame with this timestamp that was whole at `arrival` has been shown at `when`."""
        same = [frame for frame in self._unsettled.values() if frame.timestamp == timestamp]
        if same:
            frame = min(same, key=lambda frame: abs(frame.last_arrival - arrival))
            frame.shown_at, frame.decoded = when, decoded

    def settle(self, now: float, latency: float) -> None:
        """Count the frames whose fate is now certain."""
        in_order = sorted(self._unsettled.items(), key=lambda item: item[1].first)
        for key, frame in in_order[:-1]:
            if frame.last_arrival + latency + SETTLING > now:
                break
            self._settle(key)

    def _settle(self, key: int) -> None:
        frame = self._unsettled.pop(key)
        if not self._is_lab or frame.begins:
            self._count(frame)

    def _count(self, frame: LoggedFrame) -> None:
        before, self._before = self._before, frame
        counts = self.counts
        lost = bursts = missing = 0
        numbers = sorted(frame.numbers)
        if before is not None and not frame.is_first:
            gap = frame.first - max(before.numbers) - 1
            if not 0 <= gap < _FAR:
                before = None
            elif gap:
                missing = self._frames_in(gap, frame.time - before.time)
            else:
                self._steps.append(frame.time - before.time)
        if before is None or frame.is_first:
            last = frame.first - 1
            if not frame.begins:  # unknown how much of it was meant for us
                return
        else:
            last = max(before.numbers)
        for number in numbers:
            lost += number - last - 1
            bursts += number > last + 1
            last = number
        was_shown = frame.shown_at is not None
        is_whole = was_shown or frame.is_whole
        is_elsewhere = is_whole and not was_shown and frame.clock is not self._clock
        if is_elsewhere:  # the viewer has gone on: it was not meant to be shown
            return
        self.counts = FrameCounts(
            sent=counts.sent + 1 + missing,
            incomplete=counts.incomplete + missing + (not is_whole),
            late=counts.late + (is_whole and not was_shown),
            undecoded=counts.undecoded + (was_shown and not frame.decoded),
            shown=counts.shown + (was_shown and frame.decoded),
            packets=counts.packets + len(numbers) + lost,
            lost=counts.lost + lost,
            bursts=counts.bursts + bursts,
        )

    def _frames_in(self, gap: int, seconds: float) -> int:
        """Estimate how many whole frames are missing, from the missing packets and the time."""
        counts, step = self.counts, self.step
        if step > 0 and seconds > 0:
            return max(0, min(gap, round(seconds / step) - 1))
        return round(gap * counts.sent / counts.packets) if counts.packets else 0


def expected_loss(packet_loss: float, packets: float) -> float:
    """The share of frames with at least one lost packet, if losses are independent."""
    return 1.0 - math.pow(1.0 - packet_loss, packets)
