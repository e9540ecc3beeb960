"""RTP packets as they came, put together to frames, with those that are missing. Needs no Tk.

Nothing is decoded here: only headers are read, so that thousands of packets a second are cheap.
"""

from __future__ import annotations

from enum import Enum, auto
from itertools import islice

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.protocol.rtp.serial import seq_delta
from rtplab.receiving.files.capture import CapturedPacket
from rtplab.receiving.rtp.reception import REORDER_PATIENCE

# A number so far from the highest is the beginning of another numbering (RFC 3550 appendix A.1).
MAX_JUMP = 3000
# Numbers that are remembered at least, and half of those that are at the most.
_REMEMBERED = MAX_JUMP

_PLAIN = 0x80  # version 2 without padding, extension and contributing sources
_HEADER = 12
_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"


class Fate(Enum):
    """What became of a packet, so far as the receiver can tell."""

    ARRIVED = auto()
    REORDERED = auto()  # a packet with a higher number came before it
    LATE = auto()  # it arrived after its deadline
    LOST = auto()  # not here yet: one with a higher number is


class Tick:
    """One sequence number of a frame, and the packet that came with it, if one did."""

    __slots__ = ("number", "when", "fate", "marker", "packet", "repeats")

    def __init__(
        self, number: int, when: float, fate: Fate, packet: CapturedPacket | None = None
    ) -> None:
        self.number = number  # with its cycles above the 16 bits
        self.when = when  # it came, or was first missed: Unix time
        self.fate = fate
        self.packet = packet
        self.marker = packet is not None and len(packet.data) > 1 and packet.data[1] > 127
        self.repeats = 0  # packets that came with this number again

    @property
    def sequence(self) -> int:
        """The sequence number as it is in the packet."""
        return self.number & 0xFFFF


class Bundle:
    """The packets of one frame; without a `timestamp` if none of them has arrived.

    `when` is Unix time in seconds: when its first packet came, or should have come.
    """

    __slots__ = ("when", "timestamp", "ticks", "is_over", "changes")

    def __init__(self, when: float, timestamp: int | None) -> None:
        self.when = when
        self.timestamp = timestamp
        self.ticks: list[Tick] = []
        self.is_over = False  # its last packet has come
        self.changes = 0  # that there have been to its ticks

    def count(self, fate: Fate) -> int:
        """How many of its packets had this fate."""
        return sum(tick.fate is fate for tick in self.ticks)

    @property
    def is_whole(self) -> bool:
        """Tell if nothing of it is missing."""
        return not any(tick.fate is Fate.LOST for tick in self.ticks)


class Bundler:
    """Takes RTP packets in the order in which they came; gives the frames that they begin."""

    def __init__(self) -> None:
        # The last ones and their frames, by number, the oldest first.
        self._ticks: dict[int, tuple[Tick, Bundle]] = {}
        self._highest: int | None = None
        self._ssrc = b""
        self._bundle: Bundle | None = None  # the newest
        self._before: Bundle | None = None  # the one before it
        self.numbers = 0  # that have come or are missing, so far

    def restart(self, first: int | None = None) -> None:
        """A numbering begins, with `first` if that is known; earlier numbers are not missed."""
        self._ticks.clear()
        self._bundle = self._before = None
        self._highest = None if first is None else first - 1

    @property
    def has_begun(self) -> bool:
        """Tell if a packet has come since the numbering began."""
        return self._bundle is not None

    def take(self, packet: CapturedPacket) -> list[Bundle]:
        """Take a packet; return the frames that begin with it, lost ones included."""
        data = packet.data
        if len(data) < _HEADER:
            return []
        if data[8:12] != self._ssrc:
            if self._ssrc:
                self.restart()
            self._ssrc = data[8:12]
        sequence = int.from_bytes(data[2:4], "big")
        step = 1 if self._highest is None else seq_delta(sequence, self._highest)
        if not -MAX_JUMP < step < MAX_JUMP:
            self.restart()
            step = 1
        if step == 0 and self._goes_on(packet):
            self._add(Tick(self._highest or 0, packet.when, Fate.ARRIVED, packet))
            return []
        if step < 1 and self._highest is not None:
            return self._take_late(self._highest + step, packet)
        first = sequence if self._highest is None else self._highest + 1
        last = first + step - 1
        begun = self._lose(range(first, last), packet) if last > first else []
        bundle = self._bundle
        if bundle is None or self._begins_frame(packet, bundle):
            begun.append(self._begin(packet))
        self._add(Tick(last, packet.when, Fate.ARRIVED, packet))
        self._highest = last
        return begun

    def _goes_on(self, packet: CapturedPacket) -> bool:
        """Tell if a packet with the newest number is another one: so some lab servers send."""
        bundle = self._bundle
        if bundle is None or bundle.is_over or not bundle.ticks:
            return False
        before = bundle.ticks[-1]
        is_same = before.packet is None or before.packet.data == packet.data
        return before.number == self._highest and not is_same

    def _begin(self, packet: CapturedPacket) -> Bundle:
        self._before = self._bundle
        self._bundle = Bundle(packet.when, int.from_bytes(packet.data[4:8], "big"))
        return self._bundle

    def _add(self, tick: Tick) -> None:
        """Add a packet to the newest frame."""
        assert self._bundle is not None
        self._bundle.ticks.append(tick)
        self._bundle.changes += 1
        self.numbers += 1
        if tick.packet is not None:
            self._bundle.is_over = _is_last(tick.packet)
        self._ticks[tick.number] = tick, self._bundle
        if len(self._ticks) > 2 * _REMEMBERED:
            self._ticks = dict(islice(self._ticks.items(), _REMEMBERED, None))

    def _take_late(self, number: int, packet: CapturedPacket) -> list[Bundle]:
        known = self._ticks.get(number)
        if known is None:  # from before the first that came
            begun = []
            timestamp = int.from_bytes(packet.data[4:8], "big")
            candidates = (self._bundle, self._before)
            bundle = next((one for one in candidates if one and one.timestamp == timestamp), None)
            if bundle is None:
                bundle = Bundle(packet.when, timestamp)
                begun.append(bundle)
            tick = Tick(number, packet.when, Fate.REORDERED, packet)
            bundle.ticks.insert(0, tick)
            bundle.changes += 1
            self.numbers += 1
            self._ticks[number] = tick, bundle
            return begun
        tick, bundle = known
        bundle.changes += 1
        if tick.fate is Fate.LOST:
            is_late = packet.when - tick.when > REORDER_PATIENCE
            tick.fate = Fate.LATE if is_late else Fate.REORDERED
            tick.packet, tick.marker = packet, packet.data[1] > 127
        else:
            tick.repeats += 1
        return []

    def _begins_frame(self, packet: CapturedPacket, bundle: Bundle) -> bool:
        """Tell if a packet, the next by its number, is of another frame than `bundle`.

        The timestamps of many lab servers are whole seconds, so there the JPEG itself counts.
        """
        timestamp = int.from_bytes(packet.data[4:8], "big")
        if timestamp != bundle.timestamp or bundle.is_over:
            return True
        return _offset(packet) == 0 and any(tick.packet is not None for tick in bundle.ticks)

    def _lose(self, numbers: range, packet: CapturedPacket) -> list[Bundle]:
        """Note that these are missing before `packet`; return the frames that begin with them.

        They are of the frame before, of that of `packet`, or of frames of which nothing came.
        """
        begun: list[Bundle] = []
        bundle = self._bundle
        offset = _offset(packet)
        is_next = bundle is None or self._begins_frame(packet, bundle)
        ahead = 0  # of the missing, which are of the packet's frame
        if is_next and offset != 0:
            ahead = len(numbers)
            if offset is not None and not (bundle is not None and bundle.is_over):
                # Packets of one frame are equally long, but for the last.
                size = max(1, len(packet.data) - _HEADER)
                ahead = min(ahead, max(1, round(offset / size)))
        behind = numbers[: len(numbers) - ahead]
        were_frames = is_next and (bundle is None or bundle.is_over)
        # Where frames have one packet each, as in the lab, each that is missing is a frame.
        is_single = bundle is not None and len(bundle.ticks) == 1 and _is_last(packet)
        for number in behind:
            if were_frames and (is_single or not begun):
                self._before, self._bundle = self._bundle, Bundle(packet.when, None)
                begun.append(self._bundle)
            self._add(Tick(number, packet.when, Fate.LOST))
        if ahead:
            begun.append(self._begin(packet))
            for number in numbers[len(behind) :]:
                self._add(Tick(number, packet.when, Fate.LOST))
        return begun


def _is_last(packet: CapturedPacket) -> bool:
    """Tell if a packet ends its frame; the marker is often missing in the lab."""
    return packet.data[1] > 127 or packet.data[-2:] == _JPEG_END


def _offset(packet: CapturedPacket) -> int | None:
    """How far into its frame a packet's payload is, in bytes; None if unknown."""
    data = packet.data
    if data[0] != _PLAIN:
        try:
            payload = parse_packet(data).payload
        except PacketError:
            return None
    else:
        payload = data[_HEADER : _HEADER + 8]
    if payload[:2] == _JPEG_START:
        return 0
    is_jpeg = data[1] & 0x7F == 26 and len(payload) >= 8
    return int.from_bytes(payload[1:4], "big") if is_jpeg else None
