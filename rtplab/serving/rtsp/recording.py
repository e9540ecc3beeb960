"""A client's publication: ANNOUNCE describes it, SETUP sets its transport, RECORD starts it.

    ANNOUNCE rtsp://host/live     the session description: JPEG over RTP, or it is refused
    SETUP    .../streamid=0       Transport: RTP/AVP;unicast;client_port=6000-6001;mode=record
    RECORD   rtsp://host/live     from now on RTP arrives, and viewers see it

RFC 2326 sections 10.3 and 10.11. The frames are assembled as in a player, and shown by a
LiveStream, all in the client's control thread.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable
from contextlib import suppress

from rtplab.clock import steady
from rtplab.protocol.addresses import socket_address
from rtplab.protocol.errors import MessageError, PacketError
from rtplab.protocol.rtp import rtcp, rtpjpeg
from rtplab.protocol.rtp.jpegassembler import JpegAssembler
from rtplab.protocol.rtp.packet import ReceivedPacket, parse_packet
from rtplab.protocol.rtp.reorder import ReorderBuffer
from rtplab.protocol.rtp.serial import SequenceUnwrapper
from rtplab.protocol.rtsp import sdp
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame, printable
from rtplab.serving.rtp.live import MAX_PICTURE, LiveStream
from rtplab.serving.rtp.livestreams import LiveStreams
from rtplab.serving.rtp.sinks import bound_pair
from rtplab.serving.rtp.sourcereports import SourceReports
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.session import Resource, new_session_id
from rtplab.serving.rtsp.setup import ClientEndpoint, choose_transport

# Bytes that the system may keep of one publisher's datagrams: a burst of two large pictures.
RECEIVE_BUFFER = 2 << 20
# Datagrams per read. There are at most as many reads a second as requests, 100 by default, so a
# publisher can send at most some 200 Mbit/s.
DATAGRAMS_PER_LOOK = 200
LARGEST_DATAGRAM = 65_535
# Seconds by which a packet may come later than its successor.
PATIENCE = 0.1
# Seconds of silence after which another source may continue the stream (as after a restart).
SOURCE_SILENCE = 1.0
DEFAULT_FPS = 25.0  # if the description does not say
MAX_NAME = 100  # characters
MAX_PAYLOAD_TYPE = 127  # it has 7 bits

logger = logging.getLogger("rtplab.server")


def announced_media(body: bytes) -> tuple[int, float]:
    """Return the payload type and the frame rate that a session description announces.

    Raises MessageError 415 if it can't be published, 400 if it is not a description.
    """
    media = sdp.parse(body).media
    videos = [one for one in media if one.media == "video"]
    if len(media) != 1 or not videos:
        raise MessageError("only one video can be published, without sound (ffmpeg: -an)", 415)
    (video,) = videos
    payload_type = _payload_type(video.formats[0])
    encoding = video.rtpmap.get(payload_type, "JPEG/90000" if payload_type == 26 else "")
    if encoding.partition("/")[0].upper() != "JPEG":
        codec = printable(encoding.partition("/")[0] or video.formats[0], 40)
        raise MessageError(
            f"only JPEG can be published, not {codec} (ffmpeg: -c:v mjpeg -huffman default)", 415
        )
    return payload_type, min(video.framerate or DEFAULT_FPS, 1000.0)


def _payload_type(text: str) -> int:
    """Return the payload type. Raises MessageError 400 if it is invalid (RFC 3550 section 5.1)."""
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > MAX_PAYLOAD_TYPE:
        raise MessageError(f"{printable(text, 40)!r} is not an RTP payload type", 400)
    return int(text)


def checked_name(name: str) -> str:
    """Return the name of a stream to be published. Raises MessageError 403."""
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or set(name) & set("/\\?#"):
        raise MessageError(f"{printable(name, 60)!r} can't be the name of a stream", 403)
    return name


class Recorder:
    """One client's publication. In its control thread.

    It has more attributes than other classes: half are the client's request, the others the parts
    that make pictures of its packets.
    """

    def __init__(self, resource: Resource, payload_type: int, fps: float, cname: str) -> None:
        """Take the description of ANNOUNCE; nothing is opened yet. `cname` is our name in RTCP."""
        self.resource = resource
        self._cname = cname
        self._reports: SourceReports | None = None  # about the source
        self._connection: RtspConnection | None = None  # on which it was set up
        self.fps = fps
        self.session_id = ""
        self.transport: Transport | None = None
        self.live: LiveStream | None = None  # while it records
        self._sockets: tuple[socket.socket, ...] = ()  # for RTP and RTCP, by UDP
        self._payload_type = payload_type
        self._begin_anew(0.0)
        self._source: int | None = None
        self._last_arrival = 0.0
        self._taken_over: Callable[[], None] = lambda: None
        self._is_told = False  # the log has named pictures that can't be shown

    def _begin_anew(self, patience: float) -> None:
        self._numbers = SequenceUnwrapper()
        self._order = ReorderBuffer(patience)
        self._assembler = JpegAssembler()
        self._patience = patience

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.resource.name

    # ------------------------------------------------------------------ the way

    def set_up(self, offered: list[Transport], client: ClientEndpoint) -> Transport:
        """Open the first offered transport that is possible; return SETUP's Transport.

        Raises MessageError 461 if there is none, OSError if no port is free.
        """
        connection = self._connection = client.connection
        encrypted = connection.is_encrypted
        chosen = choose_transport(offered, Dialect.STANDARD, multicast=False, encrypted=encrypted)
        self._close_ports(connection)
        ports = chosen.client_port
        if chosen.lower == "TCP" or ports is None:
            connection.expect_media()
            self._begin_anew(0.0)
            self.transport = Transport("TCP", interleaved=chosen.interleaved or (0, 1))
        else:
            self._begin_anew(PATIENCE)
            self.transport = self._open_ports(ports, client)
        self.session_id = self.session_id or new_session_id()
        return self.transport

    def _open_ports(self, ports: tuple[int, int], client: ClientEndpoint) -> Transport:
        connection, local_host, host = client.connection, client.local_host, client.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        rtp, rtcp_end, first = bound_pair(family, local_host)
        self._sockets = rtp, rtcp_end
        try:
            with suppress(OSError):  # a smaller buffer works, too
                rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            rtp.connect(socket_address(host, ports[0]))  # accept no other sender
            rtcp_end.connect(socket_address(host, ports[1]))
        except OSError:
            rtp.close()
            rtcp_end.close()
            self._sockets = ()
            raise
        connection.watch(rtp, self._rtp_arrived)
        connection.watch(rtcp_end, self._rtcp_arrived)
        return Transport("UDP", client_port=ports, server_port=(first, first + 1))

    def record(
        self, streams: LiveStreams, user: str | None, taken_over: Callable[[], None]
    ) -> None:
        """Begin to show pictures. `taken_over` is called if the same user publishes elsewhere.

        Raises MessageError 403 when somebody else publishes under this name.
        """
        if self.live is None:
            name = checked_name(self.resource.name)
            self.live = streams.take_over(name, self.fps, user, taken_over)
            self._taken_over = taken_over

    def pause(self, wait: float) -> None:
        """Stop showing; the stream ends unless it is taken over within `wait` seconds."""
        live, self.live = self.live, None
        if live is not None:
            live.leave_to_others(self._taken_over, wait)

    def close(self, connection: RtspConnection, wait: float) -> None:
        """Free the ports, too. May be called twice."""
        self._close_ports(connection)
        self.pause(wait)

    def _close_ports(self, connection: RtspConnection) -> None:
        for end in self._sockets:
            connection.unwatch(end)
            end.close()
        self._sockets = ()

    # ------------------------------------------------------------------ what comes

    @property
    def last_arrival(self) -> float:
        """Time of the last arrival, in seconds of `clock.steady`: a keep-alive."""
        return self._last_arrival

    def take_interleaved(self, frame: InterleavedFrame) -> None:
        """Take the media that arrived on the RTSP connection."""
        channels = self.transport.interleaved if self.transport is not None else None
        if channels is not None and frame.channel == channels[0]:
            self._take(frame.payload)
        elif channels is not None and frame.channel == channels[1]:
            self._take_report(frame.payload)

    def _rtp_arrived(self) -> None:
        for datagram in _datagrams(self._sockets[0]):
            self._take(datagram)

    def _rtcp_arrived(self) -> None:
        for datagram in _datagrams(self._sockets[1]):
            self._take_report(datagram)

    def _take(self, data: bytes) -> None:
        now = steady()
        try:
            packet = parse_packet(data)
        except PacketError:
            return  # such as a datagram that opens the path
        if packet.version != 2 or packet.payload_type != self._payload_type:
            return
        if packet.ssrc != self._source:
            if self._source is not None and now < self._last_arrival + SOURCE_SILENCE:
                return
            self._source = packet.ssrc
            self._begin_anew(self._patience)
            self._reports = SourceReports(packet.ssrc, self._cname, now)
        self._last_arrival = now
        number = self._numbers.unwrap(packet.sequence_number)
        self._order.add(number, packet, now)
        if self._reports is not None:
            self._reports.take_packet(number, packet.timestamp, now)
            self._send_report(self._reports.report_if_due(now))
        for _, ready in self._order.release(now):
            self._put_together(ready)

    def _send_report(self, report: bytes | None) -> None:
        """Tell the publisher how its packets arrive (RFC 3550 section 6.4.2)."""
        channels = self.transport.interleaved if self.transport is not None else None
        if report is None or self._connection is None:
            return
        with suppress(OSError):  # it has gone, or does not listen
            if channels is None:
                self._sockets[1].send(report)
            else:
                head = b"$" + bytes([channels[1]]) + len(report).to_bytes(2, "big")
                self._connection.offer(head + report)

    def _put_together(self, packet: ReceivedPacket) -> None:
        try:
            fragment = rtpjpeg.parse_payload(packet.payload)
        except PacketError as error:
            self._complain(str(error))
            return
        picture = self._assembler.add(fragment, packet.timestamp, packet.marker)
        if picture is None:
            return
        if len(picture) > MAX_PICTURE:
            self._complain(f"a picture has more than {MAX_PICTURE} bytes")
        elif self.live is not None:
            self.live.show(lambda: picture)

    def _complain(self, why: str) -> None:
        """Log once that some of its pictures can't be shown."""
        if not self._is_told:
            self._is_told = True
            name = printable(self.resource.name, 80)
            logger.warning("%s: some published pictures can't be shown: %s", name, why)

    def _take_report(self, data: bytes) -> None:
        with suppress(PacketError):
            for packet in rtcp.parse_compound(data):
                self._last_arrival = steady()
                if isinstance(packet, rtcp.SenderReport) and self._reports is not None:
                    self._reports.take_report(packet, self._last_arrival)
                if isinstance(packet, rtcp.Bye) and self._source in packet.ssrcs:
                    self._source = None  # another may go on at once


def _datagrams(end: socket.socket) -> list[bytes]:
    """Return the waiting datagrams, up to the limit of one read."""
    found: list[bytes] = []
    with suppress(OSError):  # nothing more waits, or an earlier answer of ours was refused
        while len(found) < DATAGRAMS_PER_LOOK:
            found.append(end.recv(LARGEST_DATAGRAM))
    return found
