"""Scripted lab servers: how the public programs of the networking lab answer, send and misbehave.

A server serves the frames it is given, whatever the file name. `PythonLabServer` and
`JavaLabServer` read requests as those two generations do and fail where those fail; the reply, the
RTP and the kind of misbehaviour are chosen by the test.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from systems import end_listening

HOST = "127.0.0.1"

Frames = Sequence[bytes]
Packets = Callable[[Frames], Iterator[list[bytes]]]
"""From the frames of a movie to the datagrams of each frame."""


# --- RTP -----------------------------------------------------------------------------------------


def rtp(
    payload: bytes,
    number: int,
    timestamp: int,
    *,
    marker: bool = False,
    payload_type: int = 26,
    first_byte: int = 0x80,
) -> bytes:
    """An RTP packet with a 12-byte header; `first_byte` holds version, P, X and CC."""
    second = (0x80 if marker else 0) | payload_type
    header = struct.pack(">BBHII", first_byte, second, number & 0xFFFF, timestamp & 0xFFFFFFFF, 0)
    return header + payload


def whole_frames(frames: Frames) -> Iterator[list[bytes]]:
    """The textbook: a frame per datagram, its number for sequence number, the clock's seconds."""
    for number, frame in enumerate(frames, 1):
        yield [rtp(frame, number, int(time.time()))]


def _whole(
    *,
    start: int = 1,
    marker: bool = False,
    payload_type: int = 26,
    first_byte: int = 0x80,
    timestamp: Callable[[int], int] = lambda number: number * 100,
) -> Packets:
    def packets(frames: Frames) -> Iterator[list[bytes]]:
        for number, frame in enumerate(frames, start):
            yield [
                rtp(
                    frame,
                    number,
                    timestamp(number),
                    marker=marker,
                    payload_type=payload_type,
                    first_byte=first_byte,
                )
            ]

    return packets


def _random_headers(frames: Frames) -> Iterator[list[bytes]]:
    """Nothing in the header can be believed but the sequence number."""
    dice = random.Random(26)
    for number, frame in enumerate(frames, 1):
        yield [
            rtp(
                frame,
                number,
                dice.getrandbits(32),
                marker=dice.random() < 0.5,
                payload_type=dice.getrandbits(7),
                first_byte=dice.choice((0x00, 0x5F, 0xFF, 0x3A)),
            )
        ]


def _fragments(
    size: int = 1400,
    *,
    start: int = 1,
    same_number: bool = False,
    marker: bool = True,
    timestamp: Callable[[int], int] = lambda number: number * 4500,
) -> Packets:
    """Frames cut into pieces, under one sequence number each or all of a frame under the same."""

    def packets(frames: Frames) -> Iterator[list[bytes]]:
        sequence = start
        for number, frame in enumerate(frames, 1):
            pieces = [frame[offset : offset + size] for offset in range(0, len(frame), size)]
            datagrams = []
            for index, piece in enumerate(pieces):
                last = index == len(pieces) - 1
                datagrams.append(rtp(piece, sequence, timestamp(number), marker=marker and last))
                sequence += not same_number or last
            yield datagrams

    return packets


def _zero(_number: int) -> int:
    return 0


def _wall_clock(_number: int) -> int:
    return int(time.time())


RTP_KINDS: dict[str, Packets] = {
    "whole frames": whole_frames,
    "whole frames, marker": _whole(marker=True),
    "whole frames, random start": _whole(start=40321),
    "whole frames, start before the wrap": _whole(start=65531),
    "whole frames, timestamp zero": _whole(timestamp=_zero),
    "whole frames, version 0": _whole(first_byte=0x00),
    "whole frames, version 1 and all other bits": _whole(first_byte=0x7F),
    "whole frames, payload type 0": _whole(payload_type=0),
    "whole frames, payload type 127": _whole(payload_type=127),
    "whole frames, random headers": _random_headers,
    "fragments, marker": _fragments(),
    "fragments, marker, timestamp zero": _fragments(timestamp=_zero),
    "fragments, marker, wall clock": _fragments(timestamp=_wall_clock),
    "fragments, marker, start before the wrap": _fragments(start=65530),
    "fragments, no marker": _fragments(marker=False),
    "fragments, no marker, timestamp zero": _fragments(marker=False, timestamp=_zero),
    "fragments, no marker, wall clock": _fragments(marker=False, timestamp=_wall_clock),
    "fragments, random start": _fragments(start=31007, marker=False),
    "same number, marker": _fragments(same_number=True),
    "same number, marker, timestamp zero": _fragments(same_number=True, timestamp=_zero),
    "same number, no marker": _fragments(same_number=True, marker=False),
    "same number, no marker, timestamp zero": _fragments(
        same_number=True, marker=False, timestamp=_zero
    ),
    "same number, no marker, wall clock": _fragments(
        same_number=True, marker=False, timestamp=_wall_clock
    ),
    "small fragments": _fragments(512),
    "large fragments": _fragments(5000),
}


def _twice(frames: Frames) -> Iterator[list[bytes]]:
    for datagrams in _fragments()(frames):
        yield [packet for packet in datagrams for _ in range(2)]


def _whole_twice(frames: Frames) -> Iterator[list[bytes]]:
    for [packet] in _whole()(frames):
        yield [packet, packet]


def _swapped(frames: Frames) -> Iterator[list[bytes]]:
    """Frames 2 and 3, 4 and 5 ... change places; both are sent when the later one is due."""
    held: list[bytes] = []
    for index, [packet] in enumerate(_whole()(frames)):
        if index % 2:
            held = [packet]
            yield []
        else:
            yield [packet, *held]
            held = []
    yield held


def _swapped_fragments(frames: Frames) -> Iterator[list[bytes]]:
    for datagrams in _fragments()(frames):
        yield [datagrams[0], *reversed(datagrams[1:3]), *datagrams[3:]]


IMPAIRED: dict[str, Packets] = {
    "whole frames, each twice": _whole_twice,
    "whole frames, swapped": _swapped,
    "fragments, each twice": _twice,
    "fragments, swapped": _swapped_fragments,
}
"""What a network does to packets without losing any."""


def frames_lost(*lost: int) -> Packets:
    """Whole frames, without those of these numbers."""

    def packets(frames: Frames) -> Iterator[list[bytes]]:
        for number, datagrams in enumerate(_whole()(frames), 1):
            yield [] if number in lost else datagrams

    return packets


def fragment_lost(frame: int, fragment: int) -> Packets:
    """Frames in fragments with a marker, without one fragment (both counted from 1)."""

    def packets(frames: Frames) -> Iterator[list[bytes]]:
        for number, datagrams in enumerate(_fragments()(frames), 1):
            if number == frame:
                del datagrams[fragment - 1]
            yield datagrams

    return packets


# --- Replies -------------------------------------------------------------------------------------

Reply = Callable[[str, str], list[bytes]]
"""From the number that was asked with and the session id to the segments of a reply."""


def textbook_reply(number: str, session: str) -> list[bytes]:
    """What 32 of 50 Python servers answer: no end of line at the end."""
    return [f"RTSP/1.0 200 OK\nCSeq: {number}\nSession: {session}".encode()]


def _lines(*lines: str, end: str = "\n", tail: str = "\n") -> Reply:
    def reply(number: str, session: str) -> list[bytes]:
        text = end.join(lines).format(number=number.strip(), session=session)
        return [(text + tail).encode()]

    return reply


def _cut(*marks: str) -> Reply:
    """The textbook reply in several segments, each but the last ending with one of `marks`."""

    def reply(number: str, session: str) -> list[bytes]:
        [rest] = textbook_reply(number, session)
        segments = []
        for mark in marks:
            head, separator, rest = rest.partition(mark.encode())
            segments.append(head + separator)
        return [*segments, rest]

    return reply


def _byte_by_byte(number: str, session: str) -> list[bytes]:
    return [bytes([byte]) for byte in textbook_reply(number, session)[0] + b"\n\n"]


_USUAL = ("RTSP/1.0 200 OK", "CSeq: {number}", "Session: {session}")
JAVA_REPLY = _lines(*_USUAL, end="\r\n", tail="\r\n")

REPLIES: dict[str, Reply] = {
    "textbook": textbook_reply,
    "LF": _lines(*_USUAL),
    "LF, blank line": _lines(*_USUAL, tail="\n\n"),
    "CRLF": JAVA_REPLY,
    "CRLF, last line open": _lines(*_USUAL, end="\r\n", tail=""),
    "CRLF, blank line": _lines(*_USUAL, end="\r\n", tail="\r\n\r\n"),
    "header after the status line": _lines(_USUAL[0], "Server: lab", *_USUAL[1:], tail="\n\n"),
    "header before Session": _lines(*_USUAL[:2], "Date: today", _USUAL[2], tail="\n\n"),
    "header after Session": _lines(*_USUAL, "Transport: RTP/UDP", tail="\n\n"),
    "headers everywhere": _lines(
        _USUAL[0], "A: 1", _USUAL[1], "B: 2: 3", _USUAL[2], "C:", end="\r\n", tail="\r\n\r\n"
    ),
    "Session before CSeq": _lines(_USUAL[0], _USUAL[2], _USUAL[1], tail="\n\n"),
    "cut in the status line": _cut("RTSP/1.0 20"),
    "cut after the status line": _cut("OK\n"),
    "cut in CSeq": _cut("CS"),
    "cut before the session id": _cut("Session: "),
    "cut three times": _cut("RTSP", "OK", "Sess"),
    "byte by byte": _byte_by_byte,
}

SEGMENT_PAUSE = 0.1
BYTE_PAUSE = 0.002


# --- Servers -------------------------------------------------------------------------------------


class LabServer:
    """A lab server on a free port of its own, for a `with` statement.

    `requests` holds what each recv() brought, `faults` what killed a connection's thread (which
    hangs up, as it does when a lab program's thread dies).
    """

    reply: Reply = staticmethod(textbook_reply)

    def __init__(
        self,
        frames: Frames,
        *,
        packets: Packets = whole_frames,
        reply: Reply | None = None,
        session: str = "123456",
        fps: float = 50,
    ) -> None:
        self.frames = frames
        self.session = session
        self.interval = 1 / fps
        self.requests: list[bytes] = []
        self.faults: list[str] = []
        self.sent = 0
        """Frames sent so far."""
        self._packets = packets
        if reply is not None:
            self.reply = reply
        self._closing = threading.Event()
        self._paused = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._sender: threading.Thread | None = None

    def __enter__(self) -> LabServer:
        self._spawn(self._accept, "lab server accept")
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._paused.set()
        self.stop_listening()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            hang_up(connection)
        for thread in self._threads:
            thread.join()

    def stop_listening(self) -> None:
        end_listening(self._listener)

    def _spawn(self, target: Callable[..., None], name: str, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.append(connection)
            self._spawn(self._serve, "lab server connection", connection, peer[0])

    def _serve(self, connection: socket.socket, host: str) -> None:
        try:
            self.converse(connection, host)
        except (IndexError, ValueError) as error:
            self.faults.append(repr(error))
        except OSError:
            pass  # the client or the test is gone
        finally:
            self.pause()
            connection.close()

    def converse(self, connection: socket.socket, host: str) -> None:
        """Serve one client until it hangs up."""
        while lines := self.read_request(connection):
            self.obey(connection, host, lines)

    def read_request(self, connection: socket.socket) -> list[str]:
        """The lines of the next request; empty when the client has hung up."""
        raise NotImplementedError

    def obey(self, connection: socket.socket, host: str, lines: list[str]) -> None:
        method = lines[0].split(" ")[0]
        number = lines[1].split(" ")[1]
        if method == "SETUP":
            address = host, int(self.rtp_port(lines))
            self._datagrams = self._packets(self.frames)
            self._address = address
        elif method in ("PAUSE", "TEARDOWN"):
            self.pause()
        self.answer(connection, number)
        if method == "PLAY":
            self.play()

    def rtp_port(self, lines: list[str]) -> str:
        return lines[2].split(" ")[3]

    def answer(self, connection: socket.socket, number: str) -> None:
        segments = self.reply(number, self.session)
        pause = BYTE_PAUSE if len(segments) > 10 else SEGMENT_PAUSE
        for index, segment in enumerate(segments):
            if index:
                self._closing.wait(pause)
            connection.sendall(segment)

    def play(self) -> None:
        """Go on with the movie in a thread of its own, until paused or out of frames."""
        if self._sender is not None and self._sender.is_alive():
            return
        self._paused.clear()
        self._spawn(self.send_frames, "lab server RTP")
        self._sender = self._threads[-1]

    def pause(self) -> None:
        self._paused.set()
        if self._sender is not None:
            self._sender.join()

    def send_frames(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outgoing:
            while not self._paused.wait(self.interval) and not self._closing.is_set():
                datagrams = next(self._datagrams, None)
                if datagrams is None:
                    return
                self.send_frame(outgoing, datagrams, self._address)
                self.sent += 1

    def send_frame(
        self, outgoing: socket.socket, datagrams: list[bytes], address: tuple[str, int]
    ) -> None:
        for datagram in datagrams:
            with suppress(ConnectionRefusedError):
                outgoing.sendto(datagram, address)


def hang_up(connection: socket.socket) -> None:
    """End a connection in both directions and wake the thread that reads from it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class PythonLabServer(LabServer):
    """The Python generation: one recv(256) is one request, its lines are split at LF only.

    So a CR stays at the end of the number and goes back to the client in the reply.
    """

    def read_request(self, connection: socket.socket) -> list[str]:
        data = connection.recv(256)
        if data:
            self.requests.append(data)
        return data.decode().split("\n") if data else []


class JavaLabServer(LabServer):
    """The Java generation: three readLine() are one request, whatever they hold.

    A blank line is the first line of the next request, a last line without end is waited for.
    """

    reply = staticmethod(JAVA_REPLY)

    def converse(self, connection: socket.socket, host: str) -> None:
        with connection.makefile("rb") as self._lines:
            super().converse(connection, host)

    def read_request(self, connection: socket.socket) -> list[str]:
        raw = [self._lines.readline() for _ in range(3)]
        if not all(raw):
            return []
        if not raw[0].strip():
            raise IndexError("NoSuchElementException: no method in a blank line")
        self.requests.append(b"".join(raw))
        return [line.decode().rstrip("\r\n") for line in raw]


# --- Misbehaviour --------------------------------------------------------------------------------


class AnswersNothing(PythonLabServer):
    """Reads and never replies."""

    def answer(self, connection: socket.socket, number: str) -> None:
        pass

    def play(self) -> None:
        pass


class SendsNothing(PythonLabServer):
    """Answers 200 to everything, even to a file it hasn't got, and never sends a frame."""

    def play(self) -> None:
        pass


class StopsAfterOneFrame(PythonLabServer):
    """Sends the first frame and no other, and keeps the connection."""

    def send_frame(
        self, outgoing: socket.socket, datagrams: list[bytes], address: tuple[str, int]
    ) -> None:
        if self.sent == 0:
            super().send_frame(outgoing, datagrams, address)


class HangsUp(PythonLabServer):
    """Closes the connection in the middle of the movie and sends no more."""

    gone_after = 3
    last_moment = 0.3
    """Seconds between the last frame and the end: time to take the frame from the socket."""

    def send_frame(
        self, outgoing: socket.socket, datagrams: list[bytes], address: tuple[str, int]
    ) -> None:
        if self.sent < self.gone_after:
            super().send_frame(outgoing, datagrams, address)
        elif self.sent == self.gone_after:
            self._closing.wait(self.last_moment)
            self.leave()

    def leave(self) -> None:
        with self._lock:
            for connection in self._connections:
                hang_up(connection)


class Dies(HangsUp):
    """Ends in the middle of the movie as a killed process does: connection reset, port closed."""

    def leave(self) -> None:
        self.stop_listening()
        with self._lock:
            for connection in self._connections:
                reset(connection)
        super().leave()


def reset(connection: socket.socket) -> None:
    """Have the connection end with RST instead of FIN."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class ClosesAtOnce(PythonLabServer):
    """Accepts and closes."""

    def converse(self, connection: socket.socket, host: str) -> None:
        pass


class ClosesOnSetup(PythonLabServer):
    """Reads a request and hangs up, as a server does whose thread has died of it."""

    def obey(self, connection: socket.socket, host: str, lines: list[str]) -> None:
        hang_up(connection)


class HangsUpInReply(PythonLabServer):
    """Closes the connection in the middle of the first reply."""

    def answer(self, connection: socket.socket, number: str) -> None:
        connection.sendall(b"RTSP/1.0 200 OK\nCSe")
        hang_up(connection)


class Says(PythonLabServer):
    """Answers every request with the same bytes and sends no RTP."""

    words = b""

    def answer(self, connection: socket.socket, number: str) -> None:
        connection.sendall(self.words.replace(b"{number}", number.strip().encode()))

    def play(self) -> None:
        pass


class NotFound(Says):
    """Has no such file, and says so in the form of the Python generation."""

    words = b"RTSP/1.0 404 NOT FOUND\nCSeq: {number}\nSession: 0"


class NotFoundStatusOnly(Says):
    """Has no such file, and says so with the status line alone."""

    words = b"RTSP/1.0 404 Not Found\r\n"


class ServerErrorStatusOnly(Says):
    """Answers 500 with a status line that nothing ends."""

    words = b"RTSP/1.0 500 CONNECTION ERROR"


class SpeaksHttp(Says):
    """Is no RTSP server at all."""

    words = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class SpeaksGarbage(Says):
    """Answers with bytes that are no text, with control characters and escape sequences."""

    words = bytes(range(256)) + b"\n\x1b[2J\x1b]0;title\x07\n\xff\xfe\n\n"


class Floods(PythonLabServer):
    """Answers with text that has no end."""

    def answer(self, connection: socket.socket, number: str) -> None:
        while not self._closing.is_set():
            connection.sendall(b"RTSP/1.0 200 OK " * 1000)


class NeverSendsCseq(PythonLabServer):
    """Leaves out the CSeq; all else is as it should be."""

    reply = staticmethod(_lines("RTSP/1.0 200 OK", "Session: {session}", tail="\n\n"))


class HasAStranger(PythonLabServer):
    """While it plays, somebody at another address sends pictures to the client's port too."""

    stranger = "127.0.0.2"

    def send_frame(
        self, outgoing: socket.socket, datagrams: list[bytes], address: tuple[str, int]
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((self.stranger, 0))
            for datagram in datagrams:
                other.sendto(datagram[:-40] + bytes(38) + datagram[-2:], address)
        super().send_frame(outgoing, datagrams, address)
