"""Keeps what went over the wire, for the protocol panel and for capture files. Needs no Tk.

RTSP messages are few and are always kept. RTP packets are kept only while somebody watches, so that
a closed panel costs nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rtplab.protocol.rtsp.states import STATE_CHANGING_METHODS
from rtplab.receiving.files.capture import (
    CapturedMessage,
    CapturedPacket,
    Endpoints,
    Recorder,
    write_capture,
)
from rtplab.receiving.files.wholefile import WholeFile

MAX_MESSAGES = 500
MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # of messages: real ones have 300 bytes, but 64 KB are allowed
# Bytes of packets that are kept: minutes of the demonstration, seconds of 1080p.
MAX_PACKET_BYTES = 64 * 1024 * 1024


class Remark(NamedTuple):
    """A sentence about the traffic; `when` is Unix time in seconds."""

    sentence: str
    when: float


class Seen(NamedTuple):
    """How many messages and packets somebody has seen."""

    messages: int = 0
    packets: int = 0


def is_media(packet: CapturedPacket) -> bool:
    """Tell if a packet is one of the server's media."""
    return not packet.is_rtcp and not packet.sent


def is_report(packet: CapturedPacket) -> bool:
    """Tell if a packet is RTCP, the client's own included."""
    return packet.is_rtcp


class Traffic(Recorder):
    """The observer of a client: its threads call, the window reads."""

    def __init__(self, endpoints: Callable[[], Endpoints | None]) -> None:
        super().__init__(endpoints)
        self._lock = threading.Lock()  # guards all that follows
        self._messages: deque[CapturedMessage | Remark] = deque()
        self._message_bytes = 0
        self._packets: deque[CapturedPacket] = deque()
        self._bytes = 0
        self.message_count = 0
        self.packet_count = 0
        self.watching = False

    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        if self.watching:
            super().packets_received(packets, source_port, is_rtcp, when)

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        if self.watching:
            super().packet_sent(data, port, is_rtcp, when)

    def keep(self, entry: CapturedMessage | CapturedPacket) -> None:
        with self._lock:
            if isinstance(entry, CapturedMessage):
                self._keep_message(entry, len(entry.data))
                return
            self._packets.append(entry)
            self.packet_count += 1
            self._bytes += len(entry.data)
            while self._bytes > MAX_PACKET_BYTES:
                self._bytes -= len(self._packets.popleft().data)

    def forgave(self, sentence: str, when: float) -> None:
        with self._lock:
            self._keep_message(Remark(sentence, when), len(sentence))

    def _keep_message(self, message: CapturedMessage | Remark, size: int) -> None:
        self._messages.append(message)
        self.message_count += 1
        self._message_bytes += size
        while len(self._messages) > MAX_MESSAGES or self._message_bytes > MAX_MESSAGE_BYTES:
            oldest = self._messages.popleft()
            self._message_bytes -= len(
                oldest.sentence if isinstance(oldest, Remark) else oldest.data
            )

    @property
    def story(self) -> list[CapturedMessage | Remark]:
        """The messages that are kept, and the remarks on them, oldest first."""
        with self._lock:
            return list(self._messages)

    @property
    def messages(self) -> list[CapturedMessage]:
        """The messages that are kept, oldest first."""
        return [message for message in self.story if isinstance(message, CapturedMessage)]

    @property
    def packets(self) -> list[CapturedPacket]:
        """The packets that are kept, oldest first."""
        with self._lock:
            return list(self._packets)

    def after(self, seen: Seen) -> tuple[list[CapturedMessage | CapturedPacket], Seen]:
        """What is kept of all that was not `seen`, by time, and what has been seen with it."""
        with self._lock:
            now = Seen(self.message_count, self.packet_count)
            messages = [*islice(reversed(self._messages), now.messages - seen.messages)]
            packets = [*islice(reversed(self._packets), now.packets - seen.packets)]
        entries: list[CapturedMessage | CapturedPacket] = [
            message for message in reversed(messages) if isinstance(message, CapturedMessage)
        ]
        entries += reversed(packets)
        return sorted(entries, key=lambda entry: entry.when), now

    @property
    def oldest_packet(self) -> float | None:
        """The Unix time of the oldest packet that is kept; None while there is none."""
        with self._lock:
            return self._packets[0].when if self._packets else None

    def save(self, path: Path) -> int:
        """Write all that is kept into a capture file; return how much it was. Raises OSError."""
        entries: list[CapturedMessage | CapturedPacket] = [*self.messages, *self.packets]
        with WholeFile(path) as file:
            write_capture(file, entries)
        return len(entries)

    def newest(self, is_wanted: Callable[[CapturedPacket], bool]) -> CapturedPacket | None:
        """The newest packet that is wanted; None where there is none."""
        with self._lock:
            return next(filter(is_wanted, reversed(self._packets)), None)

    def last_exchange(self) -> tuple[str, str]:
        """The first lines of the last request that may change the state, and of its reply.

        Each is "" where there is none.
        """
        request = reply = ""
        wanted = False
        for message in self.messages:
            line = message.data.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
            if message.sent:
                wanted = line.partition(" ")[0] in STATE_CHANGING_METHODS
            if wanted and message.sent:
                request, reply = line, ""
            elif wanted and not reply:
                reply = line
        return request, reply
