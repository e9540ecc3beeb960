"""The packets and frames of the stream that plays, for the open panel. Needs no Tk."""

from __future__ import annotations

from rtplab.player.model.framelog import FrameLog
from rtplab.player.model.packettable import PacketTable
from rtplab.player.model.traffic import is_media
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.protocol.rtp.serial import SequenceUnwrapper, timestamp_delta
from rtplab.protocol.rtsp.states import STATE_CHANGING_METHODS
from rtplab.receiving.files.capture import CapturedMessage, CapturedPacket
from rtplab.receiving.rtp.timeline import CLOCK_RATE

_UDP_AND_IP = {False: 8 + 20, True: 8 + 40}  # bytes of headers, by whether it is IPv6


class StreamLog:
    """One stream, as observed. Another source begins another one."""

    def __init__(self, is_lab: bool) -> None:
        self._is_lab = is_lab
        self._ssrc: int | None = None
        self.restart()

    def restart(self) -> None:
        """Forget everything: the panel was opened, or the totals are to begin again."""
        self.frames = FrameLog(self._is_lab)
        self.table = PacketTable()
        self._unwrapper = SequenceUnwrapper()
        self._timestamp: int | None = None  # the newest, and
        self._ticks = 0  # how far it is from the first

    def take(self, entries: list[CapturedMessage | CapturedPacket], latency: float | None) -> None:
        """Take observations, by time.

        `latency` in seconds makes the deadlines; None if the timestamps are no clock.
        """
        for entry in entries:
            if isinstance(entry, CapturedPacket):
                if is_media(entry):
                    self._take_packet(entry, latency)
            elif entry.sent and entry.data.partition(b" ")[0].decode("latin-1") in (
                STATE_CHANGING_METHODS
            ):
                self.frames.begin()
                self.table.begin()

    def _take_packet(self, captured: CapturedPacket, latency: float | None) -> None:
        try:
            packet = parse_packet(captured.data)
        except PacketError:
            return
        if packet.ssrc != self._ssrc:
            if self._ssrc is not None:
                self.restart()
            self._ssrc = packet.ssrc
        if self._timestamp is None:
            self._timestamp = packet.timestamp
        step = timestamp_delta(packet.timestamp, self._timestamp)
        time = (self._ticks + step) / CLOCK_RATE
        if step > 0:
            self._timestamp, self._ticks = packet.timestamp, self._ticks + step
        number, when = self._unwrapper.unwrap(packet.sequence_number), captured.when
        frame = self.frames.add(number, packet, time, when)
        deadline = None if latency is None else frame.clock.due_at(frame.time, latency)
        is_late = deadline is not None and when > deadline
        headers = _UDP_AND_IP[":" in captured.ends.server.host]
        size = len(captured.data)
        self.table.add(number, packet, size, headers, time, when, is_late, frame.index)
