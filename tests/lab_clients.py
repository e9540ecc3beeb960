"""Scripted lab clients: how the public programs of the networking lab ask, and what they need back.

`FORMS` is every way of writing a request that was measured among them. `PythonLabClient` and
`JavaLabClient` read replies and RTP as those two generations do, so they fail where those fail.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

HOST = "127.0.0.1"
PATIENCE = 5.0
"""Seconds until a client takes it that the server will say nothing more."""
MARK = b"so far"
"""A datagram to oneself, behind all that has arrived before it; too short for RTP."""

REASONS = {
    200: "OK",
    404: "Not Found",
    455: "Method Not Valid in This State",
}


@dataclass(frozen=True)
class Form:
    """One way to write requests: templates for SETUP and for the other three methods."""

    name: str
    setup: str
    later: str
    teardown: str = "TEARDOWN"
    counts: bool = True
    """False: every request has the number 1."""

    def request(
        self,
        method: str,
        number: int,
        *,
        movie: str = "movie.Mjpeg",
        rtp_port: int = 0,
        session: int | str = 0,
        server: tuple[str, int] = (HOST, 0),
    ) -> bytes:
        """The bytes of one request; `server` is for the forms that name it in the URI."""
        template = self.setup if method == "SETUP" else self.later
        text = template.format(
            method=self.teardown if method == "TEARDOWN" else method,
            movie=movie,
            number=self.number(number),
            port=rtp_port,
            session=session,
            server=f"{server[0]}:{server[1]}",
        )
        return text.encode()

    def number(self, number: int) -> int:
        """The number that the request of this ordinal carries."""
        return number if self.counts else 1

    @property
    def crlf(self) -> bool:
        return "\r\n" in self.setup

    @property
    def blank_line(self) -> bool:
        """Whether the request ends with an empty line."""
        return self.setup.endswith(("\n\n", "\r\n\r\n"))

    @property
    def java(self) -> bool:
        """Whether this is how the Java generation asks: CRLF and no blank line."""
        return self.crlf and not self.blank_line

    def reply(self, status: int, number: int, session: int | None = None) -> re.Pattern[bytes]:
        """What the whole reply must look like; group 1 is the session id.

        `session` is the id to expect, None for any. An error carries the id 0, or in the Java form
        nothing but the status line.
        """
        status_line = f"RTSP/1.0 {status} {REASONS[status]}"
        if status != 200:
            session = 0
        identifier = r"(\d+)" if session is None else f"({session})"
        lines = [re.escape(status_line)]
        if status == 200 or not self.java:
            lines += [f"CSeq: {self.number(number)}", f"Session: {identifier}"]
        end = r"\r\n" if self.crlf else r"\n"
        last = "" if self.java else end
        return re.compile((end.join([*lines, last])).encode())


def _form(
    name: str,
    end: str = "\n",
    tail: str = "",
    *,
    uri: str = "{movie}",
    version: str = "RTSP/1.0",
    number: str = "CSeq: {number}",
    transport: str = "Transport: RTP/UDP; client_port= {port}",
    session: str = "Session: {session}",
    second: str = "",
    last: str = "",
    teardown: str = "TEARDOWN",
    counts: bool = True,
) -> Form:
    """A form of three lines that differs from the usual one in what is given.

    `tail` follows the last line; `second` and `last` are extra lines after the first and the last.
    """

    def join(method: str, third: str) -> str:
        lines = [f"{method} {uri} {version}", second, number, third, last]
        return end.join(line.replace("\n", end) for line in lines if line) + tail

    return Form(name, join("SETUP", transport), join("{method}", session), teardown, counts)


USUAL = _form("LF, last line open")
"""What 23 of 44 Python clients send."""
JAVA = _form("CRLF, three lines", "\r\n", "\r\n")
"""What 12 of 17 Java clients send."""
LF_ENDED = _form("LF, last line ended", "\n", "\n")
LF_BLANK = _form("LF, blank line", "\n", "\n\n")
CRLF_BLANK = _form("CRLF, blank line", "\r\n", "\r\n\r\n")
PORT_ALONE = "Transport: RTP/UDP\nclient_port = {port}"

_VARIANTS: dict[str, dict[str, Any]] = {
    "space after the version": {"version": "RTSP/1.0 "},
    "no space before the port": {"transport": "Transport: RTP/UDP; client_port={port}"},
    "no space in Transport": {"transport": "Transport: RTP/UDP;client_port={port}"},
    "colon before the port": {"transport": "Transport: RTP/UDP; client_port: {port}"},
    "TRANSPORT": {"transport": "TRANSPORT: RTP/UDP; client_port= {port}"},
    "Client_port": {"transport": "Transport: RTP/UDP; Client_port= {port}"},
    "SESSION": {"session": "SESSION: {session}"},
    "TCP/UDP": {"transport": "Transport: TCP/UDP ; client_port = {port}"},
    "port on a line of its own": {"transport": PORT_ALONE},
    "RTSP/1.4": {"version": "RTSP/1.4"},
    "RTPS/1.0": {"version": "RTPS/1.0"},
    "RTP/1.0": {"version": "RTP/1.0"},
    "rtsp/1.0": {"version": "rtsp/1.0"},
    "RTSP/1": {"version": "RTSP/1"},
    "version after the number": {"number": "CSeq: {number} RTSP/1.0"},
    "port without a sign": {"transport": "Transport: RTP/UDP; client_port {port}"},
    "port without a name": {"transport": "Transport: RTP/UDP {port}"},
    "port in quotes": {"transport": 'Transport: RTP/UDP; client_port="{port}"'},
    "SessionId": {"session": "SessionId: {session}"},
    "Prefer as second line": {"second": "Prefer: SD"},
    "Prefer as last line": {"last": "Prefer: SD"},
    "path": {"uri": "./videos/{movie}"},
    "SEeq": {"number": "SEeq: {number}"},
    "Cseg": {"number": "Cseg: {number}"},
    "Cseq": {"number": "Cseq: {number}"},
    "Csequenznumber": {"number": "Csequenznumber: {number}"},
    "CSeq without colon, never counting": {"number": "CSeq {number}", "counts": False},
    "STOP": {"teardown": "STOP"},
    "rtsp URI with RTP/UDP": {"uri": "rtsp://{server}/{movie}"},
}

OLDER = Form(
    "older",
    "SETUP {movie}\n{number}\n RTSP/1.0 RTP/UDP {port}",
    "{method} {movie}\n{number}",
)
OLDER_FORMS = (
    OLDER,
    Form("older, last line ended", OLDER.setup + "\n", OLDER.later + "\n"),
    Form("older, no name after SETUP", OLDER.setup, "{method} \n{number}"),
)

FORMS = (
    USUAL,
    LF_ENDED,
    LF_BLANK,
    JAVA,
    CRLF_BLANK,
    *OLDER_FORMS,
    *(_form(f"LF, {name}", **change) for name, change in _VARIANTS.items()),
    *(_form(f"CRLF, {name}", "\r\n", "\r\n", **change) for name, change in _VARIANTS.items()),
)


@dataclass(frozen=True)
class Reply:
    """What a lab client makes of a reply; an error in the Java form has neither number nor id."""

    status: int
    number: int | None
    session: int | None


class RtpReceiver:
    """A UDP port and the thread that listens on it, as every lab client has.

    `packets` is everything that came, cut to `buffer` bytes. `shown` are the frames that the lab
    program would display: 12 bytes are cut off, and a packet whose number is not greater than the
    last one's is dropped. With `wait_for_marker` nothing is shown until a packet carries it.
    """

    def __init__(
        self,
        buffer: int,
        *,
        wait_for_marker: bool = False,
        first_must_be_1: bool = False,
        port: int = 0,
    ) -> None:
        self._buffer = buffer
        self._wait_for_marker = wait_for_marker
        self._first_must_be_1 = first_must_be_1
        self._changed = threading.Condition()
        self._last = 0
        self._unfinished = b""
        self._marks = 0  # that have been read
        self.packets: list[bytes] = []
        self.shown: list[bytes] = []
        self.crash: str | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((HOST, port))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._listen, name="lab client RTP")
        self._thread.start()

    def close(self) -> None:
        self._socket.sendto(b"", (HOST, self.port))  # wakes the thread
        self._thread.join()
        self._socket.close()

    def wait_for_packets(self, count: int, limit: float = PATIENCE) -> list[bytes]:
        """The first `count` datagrams; fewer of them are an AssertionError after `limit` s."""
        return self._wait(self.packets, count, limit)

    def wait_for_frames(self, count: int, limit: float = PATIENCE) -> list[bytes]:
        """The first `count` frames shown; fewer of them are an AssertionError after `limit` s."""
        return self._wait(self.shown, count, limit)

    def quiet(self, seconds: float) -> bool:
        """Whether nothing at all arrives from now on for this long.

        What has arrived by now does not count, even if our thread has not read it yet.
        """
        self._catch_up()
        with self._changed:
            count = len(self.packets)
            return not self._changed.wait_for(lambda: len(self.packets) > count, seconds)

    def _catch_up(self) -> None:
        """Wait until everything is read that is in the socket now: datagrams keep their order."""
        with self._changed:
            marks = self._marks + 1
            self._socket.sendto(MARK, (HOST, self.port))
            assert self._changed.wait_for(lambda: self._marks == marks, PATIENCE)

    def _wait(self, items: list[bytes], count: int, limit: float) -> list[bytes]:
        with self._changed:
            self._changed.wait_for(lambda: len(items) >= count or self.crash, limit)
            assert not self.crash, self.crash
            assert len(items) >= count, f"{len(items)} of {count} in {limit} s"
            return items[:count]

    def _listen(self) -> None:
        while datagram := self._socket.recv(self._buffer):
            with self._changed:
                self._changed.notify_all()
                if datagram == MARK:
                    self._marks += 1
                    continue
                self.packets.append(datagram)
                if self.crash is None:
                    self._take(int.from_bytes(datagram[2:4], "big"), datagram)

    def _take(self, number: int, datagram: bytes) -> None:
        if self._first_must_be_1 and self._last == 0 and number != 1:
            self.crash = f"ArrayIndexOutOfBoundsException: first sequence number {number}"
        elif number > self._last:
            self._last = number
            self._show(datagram[12:], marker=bool(datagram[1] & 0x80))

    def _show(self, payload: bytes, *, marker: bool) -> None:
        self._unfinished += payload
        if marker or not self._wait_for_marker:
            self.shown.append(self._unfinished)
            self._unfinished = b""


class LabClient:
    """What both generations share: a control connection, an RTP port, a request counter."""

    rtp_buffer = 0
    first_must_be_1 = False

    def __init__(
        self,
        server: tuple[str, int],
        form: Form = USUAL,
        *,
        movie: str = "movie.Mjpeg",
        wait_for_marker: bool = False,
    ) -> None:
        self.form = form
        self.movie = movie
        self.ordinal = 0
        self.session: int = 0
        self.rtp = RtpReceiver(
            self.rtp_buffer,
            wait_for_marker=wait_for_marker,
            first_must_be_1=self.first_must_be_1,
        )
        try:
            self.control = socket.create_connection(server, PATIENCE)
        except OSError:
            self.rtp.close()
            raise
        self._server = server

    def __enter__(self) -> LabClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up and give the RTP port back."""
        self.control.close()
        self.rtp.close()

    def setup(self) -> Reply:
        reply = self.ask("SETUP")
        if reply.status == 200:
            assert reply.session is not None
            self.session = reply.session
        return reply

    def play(self) -> Reply:
        return self.ask("PLAY")

    def pause(self) -> Reply:
        return self.ask("PAUSE")

    def teardown(self) -> Reply:
        return self.ask("TEARDOWN")

    def ask(self, method: str) -> Reply:
        """Send one request in one segment and read its reply as this generation does.

        As in the lab programs, a reply counts only if number and session are those asked with.
        """
        self.control.sendall(self.next_request(method))
        reply = self.read_reply()
        assert reply.number in (None, self.form.number(self.ordinal)), f"number: {reply}"
        if reply.status == 200 and self.session:
            assert reply.session == self.session, f"session: {reply}, expected {self.session}"
        return reply

    def next_request(self, method: str) -> bytes:
        """The bytes of the next request, which is counted as sent."""
        self.ordinal += 1
        return self.form.request(
            method,
            self.ordinal,
            movie=self.movie,
            rtp_port=self.rtp.port,
            session=self.session,
            server=self._server,
        )

    def read_reply(self) -> Reply:
        raise NotImplementedError


class PythonLabClient(LabClient):
    """The Python generation: one recv() is one reply, and its lines are split at LF."""

    rtp_buffer = 20480

    def read_reply(self) -> Reply:
        lines = self.control.recv(1024).decode().split("\n")
        status = int(lines[0].split(" ")[1])
        return Reply(status, int(lines[1].split(" ")[1]), int(lines[2].split(" ")[1]))


class JavaLabClient(LabClient):
    """The Java generation: three readLine() after a 200, one after anything else."""

    rtp_buffer = 15000
    first_must_be_1 = True
    _lines: BinaryIO | None = None

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()
        super().close()

    def read_reply(self) -> Reply:
        status = int(self._read_line().split(" ")[1])
        if status != 200:
            return Reply(status, None, None)
        number = parse_int(self._read_line().split(" ")[1])
        return Reply(status, number, parse_int(self._read_line().split(" ")[1]))

    def _read_line(self) -> str:
        if self._lines is None:
            self._lines = self.control.makefile("rb")
        line = self._lines.readline()
        if not line:
            raise EOFError("NullPointerException: readLine() at the end of the stream")
        return line.decode().rstrip("\r\n")


def parse_int(text: str) -> int:
    """Java's Integer.parseInt: 32 bits with sign, digits and nothing around them."""
    if not re.fullmatch(r"[+-]?[0-9]+", text) or not -(2**31) <= int(text) < 2**31:
        raise ValueError(f"NumberFormatException: {text!r}")
    return int(text)


def lab_client(
    server: tuple[str, int], form: Form = USUAL, *, movie: str = "movie.Mjpeg"
) -> LabClient:
    """A client of the generation that writes in this form."""
    generation = JavaLabClient if form.java else PythonLabClient
    return generation(server, form, movie=movie)


@contextmanager
def connection(server: tuple[str, int]) -> Iterator[socket.socket]:
    """A bare control connection that sends what it is told at once, in segments of its own."""
    with socket.create_connection(server, PATIENCE) as control:
        control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield control
