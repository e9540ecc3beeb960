"""What is fuzzed of media: packets, pictures, movie files, and reception as a whole."""

from __future__ import annotations

import os
import struct
import tempfile
from contextlib import suppress

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import index_cost, open_movie
from rtplab.protocol.errors import MessageError, MovieError, PacketError
from rtplab.protocol.http import multipart as multipart_parts
from rtplab.protocol.http.messages import ReplyReader
from rtplab.protocol.http.multipart import MultipartReader
from rtplab.protocol.rtp import jpeg, rtcp, rtpjpeg
from rtplab.protocol.rtp.jpegassembler import MAX_FRAME_BYTES, JpegAssembler
from rtplab.protocol.rtp.packet import pack_header, parse_packet
from rtplab.protocol.rtsp.explain import jpeg_fields, rtp_fields
from rtplab.receiving.rtp.frames import MAX_FRAME, LabAssembler, RtpJpegFrames
from rtplab.receiving.rtp.reception import REORDER_PATIENCE, Reception
from RtpPacket import RtpPacket
from VideoStream import VideoStream

MAX_HEADERS = 1024  # bytes before the scan of a picture that RTP/JPEG carried: there are 623
PAYLOAD = 300  # bytes of an RTP/JPEG payload: small, so that small pictures have many


def reports(data: bytes) -> None:
    """An RTCP compound packet."""
    try:
        packets = rtcp.parse_compound(data)
    except PacketError:
        return
    assert 4 * len(packets) <= len(data)
    for packet in packets:
        if isinstance(packet, (rtcp.SenderReport, rtcp.ReceiverReport)):
            assert len(packet.blocks) <= rtcp.MAX_BLOCKS
            again = rtcp.parse_compound(rtcp.build_compound(packet, "us"))
            assert again[0] == packet


def packet(data: bytes) -> None:
    """An RTP packet, and its fields as the window shows them."""
    read = RtpPacket()
    try:
        read.decode(data)
        assert read.getPacket() == data
        payload = parse_packet(data).payload
    except PacketError:
        return
    assert payload in data
    fields = rtp_fields(data)
    assert sum(field.bits for field in fields) <= 8 * len(data)
    with suppress(PacketError):
        jpeg_fields(payload)


def fragments(data: bytes) -> None:
    """RTP/JPEG payloads: each after its length, the change of its timestamp and its marker."""
    assembler, timestamp, size = JpegAssembler(), 0, 0
    sides, has_files = set(), False
    for payload, change, marker in _records(data):
        timestamp = (timestamp + change * 1000) % 2**32
        try:
            fragment = rtpjpeg.parse_payload(payload)
        except PacketError:
            continue
        size += len(fragment.data)
        assert len(fragment.data) <= len(payload) and len(fragment.tables) in (0, 128)
        if fragment.begins_jpeg:
            has_files = True
        elif fragment.offset == 0:
            sides.add((fragment.width, fragment.height))
        picture = assembler.add(fragment, timestamp, marker)
        if picture is not None:
            assert len(picture) <= min(size, MAX_FRAME_BYTES) + MAX_HEADERS
            assert picture.startswith(b"\xff\xd8") and assembler.problem == ""
            # A file that was sent as it is may say anything.
            assert has_files or jpeg.dimensions(picture) in sides


def _records(data: bytes) -> list[tuple[bytes, int, bool]]:
    """Take apart a row of (length of 2 bytes, signed byte, flag, as many bytes as it is long)."""
    records, at = [], 0
    while at + 4 <= len(data):
        length, change, flag = struct.unpack_from(">HbB", data, at)
        records.append((data[at + 4 : at + 4 + length], change, bool(flag & 1)))
        at += 4 + length
    return records


def picture(data: bytes) -> None:
    """A JPEG: what its walk says, and that RTP/JPEG brings back what it can carry."""
    for look in (jpeg.dimensions, jpeg.end_of_image, jpeg.parse):
        try:
            look(data)
        except MovieError as error:
            assert 0 <= error.offset <= len(data)
    if data.startswith(jpeg.START_OF_IMAGE):
        end, problem, lacks_end = jpeg.measure(data)
        assert 0 < end <= len(data)
        assert problem is not None or end == jpeg.end_of_image(data)
        if lacks_end:
            assert jpeg.measure(jpeg.completed(data[:end])).problem is None
        _complete(data[:end], is_good=problem is None)
    with suppress(MovieError):
        header = jpeg.parse(data)
        assert (header.width, header.height) == jpeg.dimensions(data)
        end = jpeg.end_of_image(data)
        assert header.scan_start < header.scan_end < end <= len(data)
        if rtpjpeg.unsupported_reason(header) is None:
            _carry(data[:end], header)


def _complete(data: bytes, is_good: bool) -> None:
    """What a picture lacks is put there, once, and nothing else is changed."""
    completed = jpeg.completed(data)
    assert jpeg.completed(completed) == completed
    assert 0 <= len(completed) - len(data) <= jpeg.MAX_ADDED
    if is_good:
        assert jpeg.measure(completed).problem is None
        assert jpeg.frame_header(completed) == jpeg.frame_header(data)


def _carry(data: bytes, header: jpeg.JpegHeader) -> None:
    assembler, carried = JpegAssembler(), None
    payloads = rtpjpeg.packetize(data, PAYLOAD)
    for number, payload in enumerate(payloads, 1):
        fragment = rtpjpeg.parse_payload(payload)
        carried = assembler.add(fragment, 0, number == len(payloads))
    assert carried is not None
    again = jpeg.parse(carried)
    assert (again.width, again.height) == (header.width, header.height)
    scan = data[header.scan_start : header.scan_end]
    assert carried[again.scan_start : again.scan_end] == scan


def movie(data: bytes) -> None:
    """A movie file of any format: any frame of it, and its good pictures.

    Windows keeps the file where a movie that is still to be freed has it open.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = os.path.join(folder, "movie.Mjpeg")
        with open(file, "wb") as written:
            written.write(data)
        for any_frame in (True, False):
            _open(file, data, any_frame)


def _open(file: str, data: bytes, any_frame: bool) -> None:
    try:
        movie = open_movie(file, any_frame)
    except MovieError as error:
        assert 0 <= error.offset <= len(data)
        return
    assert index_cost(file) <= len(data)
    _look_through(VideoStream(file, MovieCursor(movie)), data, any_frame)


def avi(data: bytes) -> None:
    """What follows the first twelve bytes of an AVI file."""
    movie(b"RIFF\0\0\0\0AVI " + data)


def multipart(data: bytes) -> None:
    """What follows the first line of a multipart dump."""
    movie(b"--b\r\nContent-Type: image/jpeg\r\n" + data)


def _look_through(video: VideoStream, data: bytes, any_frame: bool) -> None:
    """All frames are in the file, one after the other; what is not in them is left out."""
    movie, end, played, before = video.movie, 0, 0, (0, 0)
    for offset, length in movie.frames:
        if (offset, length) == before:  # in an AVI file a picture may be shown once more
            assert video.nextFrame()
            continue
        before = offset, length
        assert offset >= end
        played += length
        end = offset + length
        frame = video.nextFrame()
        stored = data[offset:end]
        assert frame in (stored, jpeg.completed(stored)) and frame != b""
        assert any_frame or frame.startswith(b"\xff\xd8")
    assert video.nextFrame() == b"" and video.frameNbr() == len(movie.frames) > 0
    assert end <= len(data)
    left_out = movie.left_out
    assert left_out.places <= left_out.bytes <= len(data) - max(played, left_out.first)
    assert bool(left_out.places) <= bool(movie.damage)
    if not any_frame:
        jpeg.dimensions(data, movie.frames[0][0])


def stream(data: bytes) -> None:
    """What comes from the network in one session: the first byte says which assembler takes it.

    Then records: their flag is the marker; its other bits and the change say which number,
    timestamp and time the packet has.
    """
    kind = data[0] if data else 0
    assembler = RtpJpegFrames(26) if kind & 1 else LabAssembler()
    reception = Reception(assembler)
    now, sequence, received, media_time = 0.0, 65_530, 0, -1.0
    for payload, change, marker in _records(data[1:]):
        sequence = (sequence + change) % 2**16
        header = pack_header(int(marker), 26, sequence, (sequence // 4) * 4500 % 2**32, 7)
        datagram = payload if kind & 2 else header + payload
        received += len(datagram)
        now += 0.01
        for frame in reception.receive([datagram], now):
            assert len(frame.data) <= min(MAX_FRAME, received + MAX_HEADERS)
            assert frame.media_time > media_time
            media_time = frame.media_time
        deadline = reception.deadline()
        assert deadline is None or deadline <= now + REORDER_PATIENCE
    for frame in reception.receive([], now + REORDER_PATIENCE):
        assert len(frame.data) <= received + MAX_HEADERS
    assert reception.deadline() is None
    statistics = reception.statistics
    assert 0 <= statistics.lost <= statistics.expected
    assert 0 <= statistics.loss_rate <= 1 and statistics.jitter >= 0


def camera(data: bytes) -> None:
    """What a camera answers by HTTP, whole and in pieces."""
    bodies = {_camera_body(data, size) for size in (len(data) or 1, 7)}
    assert len(bodies) == 1, "the body depends on how it came"


def _camera_body(data: bytes, size: int) -> tuple[bytes, bool]:
    """Return the body that comes in pieces of this size; its parts keep to their bounds."""
    reply, body = ReplyReader(), b""
    parts: MultipartReader | None = None
    try:
        for start in range(0, len(data), size):
            piece = reply.feed(data[start : start + size])
            body += piece
            if parts is None and reply.head is not None:
                parts = MultipartReader(reply.head.headers.get("Content-Type"))
            if parts is not None:
                _take_parts(parts, piece, len(data))
    except MessageError:
        return b"", False
    return body, reply.has_ended


def _take_parts(parts: MultipartReader, piece: bytes, most: int) -> None:
    with suppress(MessageError):
        found = parts.feed(piece)
        assert sum(len(one.data) for one in found) <= min(most, multipart_parts.MAX_PICTURE)
