"""One client of the server: its RTSP connection and the stream that it asked for.

Control runs in a thread of its own, which reads requests and answers each by the method that
bears its name. Media runs in the server's pacer, which calls `sendRtp` whenever a frame is due.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from typing import Any

from rtplab.protocol import lab
from rtplab.protocol.errors import MessageError, MovieError
from rtplab.protocol.headers import Transport, parse_transports
from rtplab.protocol.parser import split_lines
from rtplab.protocol.rtsp import Dialect, Form, InterleavedFrame, Request, Response, printable
from rtplab.protocol.states import State, transition
from rtplab.serving.connection import RtspConnection
from rtplab.serving.pacer import FrameClock, Ticket
from rtplab.serving.service import Service
from rtplab.serving.sinks import UdpSink, ViewerGone
from rtplab.serving.stream import CLOCK_RATE, MJPEG, RtpStream, whole_frames
from RtpPacket import RtpPacket
from VideoStream import VideoStream

MAX_BAD_REQUESTS = 10  # in a row: by then the peer speaks something else
MAX_SESSION_ID = 2_147_483_647  # the Java clients read it with Integer.parseInt

logger = logging.getLogger("rtplab.server")


class ServerWorker:
    """One client's session. `clientInfo['rtspSocket']` is its (socket, address)."""

    SETUP = "SETUP"
    PLAY = "PLAY"
    PAUSE = "PAUSE"
    TEARDOWN = "TEARDOWN"

    INIT = State.INIT
    READY = State.READY
    PLAYING = State.PLAYING

    OK_200 = 0
    FILE_NOT_FOUND_404 = 1
    CON_ERR_500 = 2

    def __init__(self, clientInfo: dict[str, Any], service: Service | None = None) -> None:
        """Take over a client. Without a `service`, the current folder is served."""
        self.clientInfo = clientInfo
        rtsp_socket, self._address = clientInfo["rtspSocket"]
        self._local_host = _host_of(rtsp_socket)
        self._connection = RtspConnection(rtsp_socket)
        self._owns_service = service is None
        self._service = service or Service()
        self._thread: threading.Thread | None = None
        self._name = f"{self._address[0]}:{self._address[1]}"

        # Guards all below: the control thread and the pacer both use it. Nothing blocks under it.
        self._lock = threading.Lock()
        self.state = State.INIT
        self.sessionId = ""
        self._dialect = Dialect.LAB
        self._stream: RtpStream | None = None
        self._ticket: Ticket | None = None
        self._clock: FrameClock  # while playing
        self.videoStream: VideoStream  # from SETUP on

    # ------------------------------------------------------------------ control

    def run(self) -> None:
        """Start the thread that serves this client."""
        self._thread = threading.Thread(target=self.recvRtspRequest, name=f"client {self._name}")
        self._thread.start()

    def close(self) -> None:
        """Hang up and wait until all of it is freed. May be called twice, from any other thread."""
        self._connection.hang_up()
        if self._thread is not None:
            self._thread.join()

    def is_alive(self) -> bool:
        """Tell if the client is still served."""
        return self._thread is not None and self._thread.is_alive()

    def recvRtspRequest(self) -> None:
        """Serve the client until it hangs up."""
        logger.info("%s connected", self._name)
        bad_requests = 0
        try:
            for message in self._connection.messages():
                if isinstance(message, InterleavedFrame):
                    continue
                status = self.processRtspRequest(message)
                bad_requests = bad_requests + 1 if status == 400 else 0
                if bad_requests > MAX_BAD_REQUESTS or (message.problem and message.problem.fatal):
                    break
        except OSError as error:
            logger.info("%s lost: %s", self._name, error)
        finally:
            self._free()
            logger.info("%s gone", self._name)

    def processRtspRequest(self, data: Request | str | bytes) -> int:
        """Obey one request and answer it; return the status of the answer.

        Raises OSError when the answer can't be sent.
        """
        request = data if isinstance(data, Request) else _request_from_text(data)
        logger.debug("%s < %s %s", self._name, printable(request.method), printable(request.uri))
        response = self._answer(request)
        logger.debug("%s > %d", self._name, response.status)
        self._connection.send(response.serialise(request))
        self._start_sending_if_playing()
        return response.status

    def replyRtsp(self, code: int, seq: int) -> None:
        """Send a bare reply in the lab dialect: OK_200, FILE_NOT_FOUND_404 or CON_ERR_500."""
        status = {self.OK_200: 200, self.FILE_NOT_FOUND_404: 404}.get(code, 500)
        request = Request("", "", cseq=str(seq), dialect=Dialect.LAB, form=Form("\n", False))
        session = self.sessionId if status == 200 else ""
        self._connection.send(Response(status, session=session).serialise(request))

    def _answer(self, request: Request) -> Response:
        """Find the method that bears the request's name, and turn what it raises into a status."""
        try:
            if request.problem:
                raise request.problem
            method = getattr(self, f"do_{request.method}", None)
            if method is None:
                raise MessageError(f"{printable(request.method)} is not implemented", 501)
            response: Response = method(request)
            return response
        except MessageError as error:
            logger.info("%s refused with %d: %s", self._name, error.status, error)
            return Response(error.status)
        except OSError as error:
            logger.warning("%s failed: %s", self._name, error)
            return Response(500)

    # ------------------------------------------------------------------ the methods of RTSP

    def do_SETUP(self, request: Request) -> Response:
        """RFC 2326 section 10.4: open the movie and the way to the client."""
        new_state = transition(self.state, request.method)
        transport = self._choose_transport(request)
        videoStream = self._open_movie(request.uri)
        sink = UdpSink(self._local_host, self._address[0], _rtp_port(transport))
        with self._lock:
            self._close_stream()
            self.clientInfo["videoStream"] = self.videoStream = videoStream
            self.clientInfo["rtpPort"] = _rtp_port(transport)
            self._stream = self._new_stream(sink)
            self.sessionId = self.sessionId or str(1 + secrets.randbelow(MAX_SESSION_ID))
            self.clientInfo["session"] = self.sessionId
            self._dialect = request.dialect
            self.state = new_state
        logger.info("%s set up %s", self._name, videoStream.movie.path)
        return self._ok()

    def do_PLAY(self, request: Request) -> Response:
        """RFC 2326 section 10.5: send from here on; at the end, from the beginning again."""
        new_state = transition(self.state, request.method)
        self._check_session(request)
        with self._lock:
            if self.videoStream.frameNbr() >= len(self.videoStream.movie.frames):
                self.videoStream.seek(1)
            self.state = new_state
        return self._ok()

    def do_PAUSE(self, request: Request) -> Response:
        """RFC 2326 section 10.6: stop sending; PLAY goes on with the next frame."""
        new_state = transition(self.state, request.method)
        self._check_session(request)
        with self._lock:
            self._stop_sending()
            self.state = new_state
        return self._ok()

    def do_TEARDOWN(self, request: Request) -> Response:
        """RFC 2326 section 10.7: end the session; the connection may set up another."""
        if self.state is not State.INIT:
            self._check_session(request)
        response = self._ok()
        with self._lock:
            self._close_stream()
            self.state = transition(self.state, request.method)
            self.sessionId = ""
        return response

    def _ok(self) -> Response:
        return Response(200, session=self.sessionId)

    def _check_session(self, request: Request) -> None:
        """A session can be used only over the connection that made it, and by its id.

        The older lab clients name none.
        """
        named = request.headers.get("Session").partition(";")[0].strip()
        if named != self.sessionId and (named or request.dialect is Dialect.STANDARD):
            raise MessageError(f"no session {printable(named, 40)} on this connection", 454)

    def _choose_transport(self, request: Request) -> Transport:
        for transport in parse_transports(request.headers.get("Transport")):
            if transport.lower == "UDP" and not transport.multicast and transport.client_port:
                return transport
        raise MessageError("no transport that can be served", 461)

    def _open_movie(self, name: str) -> VideoStream:
        path = self._service.library.find(name)
        try:
            return VideoStream(path)
        except MovieError as error:
            raise MessageError(f"{path.name} can't be played: {error}", 415) from error
        except OSError as error:
            raise MessageError(f"{path.name} can't be opened: {error}", 404) from error

    # ------------------------------------------------------------------ media

    def sendRtp(self) -> float | None:
        """Send the next frame; return when the one after it is due, None when there is none.

        Times are seconds of `time.monotonic`. The pacer calls this.
        """
        with self._lock:
            if self.state is not State.PLAYING or self._stream is None:
                return None
            try:
                frame = self.videoStream.nextFrame()
                if frame:
                    self._stream.send(frame, 1 / self._service.fps)
                    return self._clock.next_due(time.monotonic())
                logger.info("%s has seen the whole movie", self._name)
                self._stop_sending()
                self.state = State.READY
            except (MovieError, ViewerGone) as error:
                logger.warning("%s is sent no more: %s", self._name, error)
                self._close_stream()
                self.state = State.INIT
            return None

    def makeRtp(self, payload: bytes, frameNbr: int) -> bytes:
        """Return the RTP packet that carries one whole JPEG in the lab dialect."""
        packet = RtpPacket()
        timestamp = round((frameNbr - 1) * CLOCK_RATE / self._service.fps)
        marker = int(self._service.marker)
        packet.encode(2, 0, 0, 0, frameNbr, marker, MJPEG, 0, payload, timestamp)
        return packet.getPacket()

    def _new_stream(self, sink: UdpSink) -> RtpStream:
        return RtpStream(
            sink,
            whole_frames,
            ssrc=secrets.randbits(32),
            sequence_number=1,
            first_timestamp=0,
            mark_single_packets=self._service.marker,
        )

    def _start_sending_if_playing(self) -> None:
        """Begin what PLAY asked for, once its reply is out: packets must not overtake it."""
        with self._lock:
            if self.state is State.PLAYING and self._ticket is None:
                now = time.monotonic()
                self._clock = FrameClock(1 / self._service.fps, now)
                self._ticket = self._service.pacer.add(self.sendRtp, now)

    def _stop_sending(self) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None

    def _close_stream(self) -> None:
        self._stop_sending()
        if self._stream is not None:
            self._stream.sink.close()
            self._stream = None

    def _free(self) -> None:
        with self._lock:
            self._close_stream()
            self.state = State.INIT
        self._connection.close()
        if self._owns_service:
            self._service.close()


def _host_of(rtsp_socket: socket.socket) -> str:
    """Return our address as the client sees it; "" where the socket has none."""
    address = rtsp_socket.getsockname()
    return str(address[0]) if isinstance(address, tuple) else ""


def _rtp_port(transport: Transport) -> int:
    assert transport.client_port is not None
    return transport.client_port[0]


def _request_from_text(data: str | bytes) -> Request:
    """Read one lab request that is known to be whole."""
    head = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    lines, eol = split_lines(head)
    return lab.parse_request(lines or [""], Form(eol, head.endswith((b"\n\n", b"\n\r\n"))))
