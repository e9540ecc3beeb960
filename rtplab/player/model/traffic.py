"""Keeps the traffic, for the protocol panel and for capture files. Needs no Tk.

RTSP messages are few and are always kept. Of RTP and RTCP the newest are kept, more of them while
the panel is open. They stay in batches as received, so a closed panel costs next to nothing.
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
# Bytes of packets that are kept while the panel is open: minutes of the demonstration, ten seconds
# of 1080p; and while it is closed, for a capture that is saved afterwards.
MAX_PACKET_BYTES = 64 * 1024 * 1024
UNWATCHED_BYTES = 16 * 1024 * 1024
BATCH_OVERHEAD = 300  # bytes of memory that a batch takes in addition to its packets
PACKET_OVERHEAD = 50  # and each packet in addition to its data


class Remark(NamedTuple):
    """A sentence about the traffic; `when` is Unix time in seconds."""

    sentence: str
    when: float


class Seen(NamedTuple):
    """How many messages and packets a reader has seen."""

    messages: int = 0
    packets: int = 0


class Batch(NamedTuple):
    """Packets that came together, or one that was sent; the rest is as in CapturedPacket."""

    packets: list[bytes]
    server_port: int
    is_rtcp: bool
    when: float
    ends: Endpoints
    sent: bool = False
    dropped: bool = False

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return sum(map(len, self.packets)) + len(self.packets) * PACKET_OVERHEAD + BATCH_OVERHEAD

    def captured(self) -> list[CapturedPacket]:
        """Each of the packets by itself."""
        return [CapturedPacket(packet, *self[1:]) for packet in self.packets]


def is_media(packet: CapturedPacket) -> bool:
    """Tell if a packet is one of the server's media that got through to us."""
    return not packet.is_rtcp and not packet.sent and not packet.dropped


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
        self._forgotten_messages = 0
        self._batches: deque[Batch] = deque()
        self._bytes = 0
        self.packet_count = 0  # that have come or were sent, kept or not
        self._forgotten = 0  # of these, those already discarded
        self.message_count = 0
        self.watching = False

    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        ends = self._endpoints()
        if ends is not None and packets:
            self._keep_batch(Batch(packets, source_port, is_rtcp, when, ends))

    def packets_dropped(self, packets: list[bytes], source_port: int, when: float) -> None:
        ends = self._endpoints()
        if ends is not None:
            self._keep_batch(Batch(packets, source_port, False, when, ends, dropped=True))

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        ends = self._endpoints()
        if ends is not None:
            self._keep_batch(Batch([data], port, is_rtcp, when, ends, sent=True))

    def _keep_batch(self, batch: Batch) -> None:
        with self._lock:
            self._batches.append(batch)
            self._bytes += batch.size
            self.packet_count += len(batch.packets)
            most = MAX_PACKET_BYTES if self.watching else UNWATCHED_BYTES
            while self._bytes > most:
                oldest = self._batches.popleft()
                self._bytes -= oldest.size
                self._forgotten += len(oldest.packets)

    def keep(self, entry: CapturedMessage | CapturedPacket) -> None:
        assert isinstance(entry, CapturedMessage)  # packets come in batches
        with self._lock:
            self._keep_message(entry, len(entry.data))

    def forgave(self, sentence: str, when: float) -> None:
        with self._lock:
            self._keep_message(Remark(sentence, when), len(sentence))

    def _keep_message(self, message: CapturedMessage | Remark, size: int) -> None:
        self._messages.append(message)
        self.message_count += 1
        self._message_bytes += size
        while len(self._messages) > MAX_MESSAGES or self._message_bytes > MAX_MESSAGE_BYTES:
            oldest = self._messages.popleft()
            self._forgotten_messages += isinstance(oldest, CapturedMessage)
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
            return self._newest_packets(self.packet_count)

    def after(self, seen: Seen) -> tuple[list[CapturedMessage | CapturedPacket], Seen]:
        """What is kept of all that was not `seen`, by time, and what has been seen with it.

        What the bad network of --impair has dropped is left out: to a receiver it never came.
        """
        with self._lock:
            now = Seen(self.message_count, self.packet_count)
            messages = [*islice(reversed(self._messages), now.messages - seen.messages)]
            packets = self._newest_packets(now.packets - seen.packets)
        entries: list[CapturedMessage | CapturedPacket] = [
            message for message in reversed(messages) if isinstance(message, CapturedMessage)
        ]
        entries += [packet for packet in packets if not packet.dropped]
        return sorted(entries, key=lambda entry: entry.when), now

    def has_forgotten_after(self, seen: Seen) -> bool:
        """Tell if packets that were not `seen` have been discarded."""
        return self._forgotten > seen.packets

    @property
    def oldest_packet(self) -> float | None:
        """The Unix time of the oldest packet that is kept; None if no packet is kept."""
        with self._lock:
            return self._batches[0].when if self._batches else None

    def _newest_packets(self, wanted: int) -> list[CapturedPacket]:
        """Up to this many of the newest packets, oldest first."""
        newest: list[Batch] = []
        for batch in reversed(self._batches):
            if wanted <= 0:
                break
            wanted -= len(batch.packets)
            newest.append(batch)
        return [packet for batch in reversed(newest) for packet in batch.captured()]

    def save(self, path: Path) -> str:
        """Write everything kept into a capture file; say what it holds. Raises OSError.

        The sentence also says what is missing.
        """
        with self._lock:
            forgotten, lost_messages = self._forgotten, self._forgotten_messages
        messages, packets = self.messages, self.packets
        entries: list[CapturedMessage | CapturedPacket] = [*messages, *packets]
        with WholeFile(path) as file:
            write_capture(file, entries)
        held = f"{len(messages):,} messages and {len(packets):,} packets saved in {path}"
        lacks = [f"{forgotten:,} packets"] * bool(forgotten)
        lacks += [f"{lost_messages:,} messages"] * bool(lost_messages)
        return (
            f"{held}; the oldest {' and '.join(lacks)} had already been discarded"
            if lacks
            else held
        )

    def newest(self, is_wanted: Callable[[CapturedPacket], bool]) -> CapturedPacket | None:
        """The newest packet that is wanted, or None.

        Those that came together are of one kind: of these, only the last is asked about.
        """
        with self._lock:
            for batch in reversed(self._batches):
                packet = CapturedPacket(batch.packets[-1], *batch[1:])
                if is_wanted(packet):
                    return packet
        return None

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
