"""Writes the traffic into a capture file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rtplab.receiving.files.observer import Observer
from rtplab.receiving.files.pcapng import Endpoint, Interface, PcapngWriter
from rtplab.receiving.files.wholefile import WholeFile


@dataclass(frozen=True)
class Endpoints:
    """The addresses of a session."""

    server: Endpoint
    client: Endpoint
    rtp_port: int  # ours; RTCP has the next one
    channels: tuple[int, int] = (0, 1)  # of RTP and RTCP on the RTSP connection


@dataclass(frozen=True)
class CapturedMessage:
    """One RTSP request or reply as it went over the wire; `when` is Unix time in seconds."""

    sent: bool
    data: bytes
    when: float
    ends: Endpoints


@dataclass(frozen=True)
class CapturedPacket:
    """One RTP or RTCP packet as it came, or was `sent`; `when` is Unix time in seconds.

    `server_port` is where it came from or went to, or 0 for a packet on the RTSP connection. A
    `dropped` one has arrived, but the bad network of --impair dropped it.
    """

    data: bytes
    server_port: int
    is_rtcp: bool
    when: float
    ends: Endpoints
    sent: bool = False
    dropped: bool = False


def write_entry(writer: PcapngWriter, entry: CapturedMessage | CapturedPacket) -> None:
    """Write one message or packet. Raises OSError.

    A dropped packet of the RTSP connection is written as a datagram between the connection's ports:
    a TCP stream can't miss any bytes.
    """
    if isinstance(entry, CapturedPacket) and entry.dropped:
        _write_dropped(writer, entry)
        return
    ends, data = entry.ends, entry.data
    server, client, write = ends.server, ends.client, writer.tcp
    if isinstance(entry, CapturedPacket) and entry.server_port:
        server = Endpoint(server.host, entry.server_port)
        client = Endpoint(client.host, ends.rtp_port + entry.is_rtcp)
        write = writer.udp
    elif isinstance(entry, CapturedPacket):
        # RFC 2326 section 10.12: on the RTSP connection, framed by $, channel and length
        data = b"$%c%b%b" % (ends.channels[entry.is_rtcp], len(data).to_bytes(2, "big"), data)
    source, target = (client, server) if entry.sent else (server, client)
    write(source, target, data, entry.when)


def _write_dropped(writer: PcapngWriter, packet: CapturedPacket) -> None:
    source, target = packet.ends.server, packet.ends.client
    if packet.server_port:
        source = Endpoint(source.host, packet.server_port)
        target = Endpoint(target.host, packet.ends.rtp_port)
    writer.udp(source, target, packet.data, packet.when, Interface.DROPPED)


def write_capture(file: BinaryIO, entries: list[CapturedMessage | CapturedPacket]) -> None:
    """Write a whole capture file, by time. Raises OSError."""
    writer = PcapngWriter(file)
    for entry in sorted(entries, key=lambda entry: entry.when):
        write_entry(writer, entry)


class Recorder:
    """An observer that makes an entry of everything it sees. The client's threads call it."""

    def __init__(self, endpoints: Callable[[], Endpoints | None]) -> None:
        """`endpoints` returns the current addresses of both sides."""
        self._endpoints = endpoints

    def message_sent(self, data: bytes, when: float) -> None:
        self._message(True, data, when)

    def message_received(self, data: bytes, when: float) -> None:
        self._message(False, data, when)

    def _message(self, sent: bool, data: bytes, when: float) -> None:
        ends = self._endpoints()
        if ends is not None:
            self.keep(CapturedMessage(sent, data, when, ends))

    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        ends = self._endpoints()
        if ends is not None:
            for packet in packets:
                self.keep(CapturedPacket(packet, source_port, is_rtcp, when, ends))

    def packets_dropped(self, packets: list[bytes], source_port: int, when: float) -> None:
        ends = self._endpoints()
        if ends is not None:
            for packet in packets:
                self.keep(CapturedPacket(packet, source_port, False, when, ends, dropped=True))

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        ends = self._endpoints()
        if ends is not None:
            self.keep(CapturedPacket(data, port, is_rtcp, when, ends, sent=True))

    def forgave(self, sentence: str, when: float) -> None:
        """Ignore it: it was not on the wire."""

    def keep(self, entry: CapturedMessage | CapturedPacket) -> None:
        """Take an entry; subclasses say what to do with it."""
        raise NotImplementedError


class LiveCapture:
    """A capture file that grows with all observed traffic until it is closed.

    If the disk is full it stops and sets `error`; the part already written is a valid capture.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.error = ""
        self._file = WholeFile(path)
        try:
            self._writer = PcapngWriter(self._file)
        except OSError:
            self._file.close()
            raise
        self._lock = threading.Lock()  # guards the file

    def observe(
        self, endpoints: Callable[[], Endpoints | None], also: Observer | None = None
    ) -> Observer:
        """Return an observer for one client, which also calls `also`."""
        return _CapturingObserver(self, endpoints, also)

    def keep(self, entry: CapturedMessage | CapturedPacket) -> None:
        """Write an entry. Any thread may call."""
        with self._lock:
            if self._file.closed:
                return
            try:
                write_entry(self._writer, entry)
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Finish the file. May be called twice."""
        with self._lock:
            try:
                self._file.close()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.error = f"The capture could not be written ({error.strerror})."
        self._file.close()


class _CapturingObserver(Recorder):
    """Writes the traffic of one client into a capture, and passes it on."""

    def __init__(
        self,
        capture: LiveCapture,
        endpoints: Callable[[], Endpoints | None],
        also: Observer | None,
    ) -> None:
        super().__init__(endpoints)
        self._capture = capture
        self._also = also

    def message_sent(self, data: bytes, when: float) -> None:
        super().message_sent(data, when)
        if self._also is not None:
            self._also.message_sent(data, when)

    def message_received(self, data: bytes, when: float) -> None:
        super().message_received(data, when)
        if self._also is not None:
            self._also.message_received(data, when)

    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        super().packets_received(packets, source_port, is_rtcp, when)
        if self._also is not None:
            self._also.packets_received(packets, source_port, is_rtcp, when)

    def packets_dropped(self, packets: list[bytes], source_port: int, when: float) -> None:
        super().packets_dropped(packets, source_port, when)
        if self._also is not None:
            self._also.packets_dropped(packets, source_port, when)

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        super().packet_sent(data, port, is_rtcp, when)
        if self._also is not None:
            self._also.packet_sent(data, port, is_rtcp, when)

    def forgave(self, sentence: str, when: float) -> None:
        if self._also is not None:
            self._also.forgave(sentence, when)

    def keep(self, entry: CapturedMessage | CapturedPacket) -> None:
        self._capture.keep(entry)
