"""One client of the server: its RTSP connection and the stream that it asked for.

Control runs in a thread of its own, which reads requests and answers each by the method that
bears its name. Media runs in the server's pacer, which calls `sendRtp` whenever a frame is due;
only the first frame is sent by the control thread itself.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

from rtplab.protocol.errors import MessageError, PeerError, RtpLabError
from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.headers import parse_range, parse_transports
from rtplab.protocol.rtsp.messages import (
    Dialect,
    Form,
    Headers,
    InterleavedFrame,
    Request,
    Response,
    printable,
)
from rtplab.protocol.rtsp.parser import split_lines
from rtplab.protocol.rtsp.states import State, transition
from rtplab.protocol.rtsp.urls import without_password
from rtplab.serving.admission.access import Gate
from rtplab.serving.admission.descriptors import are_exhausted
from rtplab.serving.rtp.multicast import MulticastChannel
from rtplab.serving.rtp.pacer import Ticket
from rtplab.serving.rtp.sinks import UdpSink, ViewerGone
from rtplab.serving.rtp.stream import CLOCK_RATE, MJPEG
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.resources import resource_of
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import Session, new_session_id
from rtplab.serving.rtsp.setup import SessionMaker
from rtplab.serving.rtsp.threads import Task
from rtplab.serving.rtsp.transports import Viewer
from rtplab.serving.scaling.proxies import read_client_address
from RtpPacket import RtpPacket
from VideoStream import VideoStream

MAX_BAD_REQUESTS = 10  # in a row: by then the peer speaks something else
# Seconds from the last frame to BYE: a busy player may see RTCP before the RTP that came first, and
# would leave the end unseen.
FAREWELL_DELAY = 0.5
# How often BYE is said by UDP, where it may be lost: without it, ffmpeg and mpv wait until the
# session times out. Not to who loses nothing: what they have not read by then they take for the
# end of what they play next.
FAREWELLS = 3

logger = logging.getLogger("rtplab.server")


class ServerWorker:
    """One client's session. `clientInfo['rtspSocket']` is its (socket, address)."""

    OPTIONS = "OPTIONS"
    DESCRIBE = "DESCRIBE"
    SETUP = "SETUP"
    PLAY = "PLAY"
    PAUSE = "PAUSE"
    TEARDOWN = "TEARDOWN"
    GET_PARAMETER = "GET_PARAMETER"
    SET_PARAMETER = "SET_PARAMETER"
    METHODS_OF_THE_SERVER = (OPTIONS, GET_PARAMETER, SET_PARAMETER)  # those that need no movie
    METHODS = (OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER)

    INIT = State.INIT
    READY = State.READY
    PLAYING = State.PLAYING

    OK_200 = 0
    FILE_NOT_FOUND_404 = 1
    CON_ERR_500 = 2

    state = INIT  # the lab's scripts read it on the class, too

    def __init__(self, clientInfo: dict[str, Any], service: Service | None = None) -> None:
        """Take over a client. Without a `service`, the current folder is served."""
        self.clientInfo = clientInfo
        self._owns_service = service is None
        self._service = service or Service()
        rtsp_socket, address = clientInfo["rtspSocket"]
        self._connection = RtspConnection(rtsp_socket, self._service.tls, self._service.limits)
        self._know_client(address, _host_of(rtsp_socket))
        self._task: Task | None = None  # while it is served, and after
        self._last_sign_of_life = time.monotonic()
        self._has_seat = False

        # Guards what follows: the control thread and the pacer use it. Nothing blocks under it.
        self._lock = threading.RLock()
        self.state = State.INIT
        self._session: Session | None = None
        self._channel: MulticastChannel | None = None  # in a session by multicast
        self._ticket: Ticket | None = None  # while frames are being sent
        self._farewells = 0  # still to be said

    def _know_client(self, address: tuple[Any, ...], local_host: str) -> None:
        """Note who the client is, and by which address of ours it is reached; "" if by any."""
        self._viewer = Viewer(self._connection, local_host, address[0])
        self._gate = self._new_gate(address[0])
        self._name = f"{address[0]}:{address[1]}"

    # ------------------------------------------------------------------ the control thread

    def run(self) -> None:
        """Serve this client in a thread of its own, or refuse it when the system grants none."""
        try:
            self._task = self._service.threads.start(self.recvRtspRequest)
        except RuntimeError as error:
            logger.warning("%s is refused: %s", self._name, str(error))
            self._connection.refuse()
            self._free()

    def is_alive(self) -> bool:
        """Tell if the client is still served."""
        return self._task is not None and self._task.is_alive()

    def close(self) -> None:
        """Say BYE, hang up and wait until all is freed. May be called twice, from other threads."""
        self._connection.stop_listening()
        if self._task is not None:
            self._task.join()
        else:
            self._free()

    def recvRtspRequest(self) -> None:
        """Serve the client until it hangs up or falls silent."""
        try:
            self._listen_to_proxy()
            logger.info("%s connected", self._name)
            self._serve_if_admitted()
        except (OSError, PeerError) as error:
            logger.info("%s lost: %s", self._name, error)
        except Exception:
            logger.exception("%s is dropped: the server has failed", self._name)
        finally:
            self._free()
            if dropped := self._connection.dropped_frames:
                logger.info("%s: %d frames dropped, as it read too slowly", self._name, dropped)
            logger.info("%s gone", self._name)

    def _listen_to_proxy(self) -> None:
        """Learn from a proxy who the client is that it passes on. Raises OSError, PeerError."""
        rtsp_socket, address = self.clientInfo["rtspSocket"]
        proxies = self._service.proxies
        if proxies is None or not proxies.trusts(address[0]):
            return
        client = read_client_address(rtsp_socket)
        if client is not None:
            # Only the proxy knows us by the address that it has connected to.
            self._know_client(client, "")
            self.clientInfo["rtspSocket"] = (rtsp_socket, client)

    def _serve_if_admitted(self) -> None:
        admission, host = self._service.admission, self._viewer.host
        if not admission.enter(host):
            logger.info("%s is refused: its address has too many connections", self._name)
            self._connection.refuse()
            return
        try:
            self._serve()
        finally:
            admission.leave(host)

    def idle_since(self) -> float | None:
        """When a client without a session has last said something; None when it has one."""
        if self._session is not None or self._connection.is_hung_up:
            return None
        return self._last_sign_of_life

    def make_room(self) -> None:
        """Hang up on a client that does nothing, so that another can come."""
        logger.info("%s is hung up on: the server is full", self._name)
        self._connection.hang_up()

    def _serve(self) -> None:
        bad_requests = 0
        for message in self._connection.messages(self._session_deadline):
            if message is None:
                logger.info("%s has been silent for too long", self._name)
                break
            if isinstance(message, InterleavedFrame):
                self._interleaved_arrived(message)
                continue
            now = self._last_sign_of_life = time.monotonic()
            self._connection.wait(self._service.admission.delay(self._viewer.host, now))
            status = self.processRtspRequest(message)
            bad_requests = bad_requests + 1 if status == 400 else 0
            if bad_requests > MAX_BAD_REQUESTS or (message.problem and message.problem.fatal):
                break

    def _session_deadline(self) -> float | None:
        """When a silent session ends (RFC 2326 section 12.37); lab clients send no keep-alive.

        A connection that has none yet is not kept for ever either.
        """
        if self._session is None:
            return self._last_sign_of_life + self._service.limits.idle_timeout
        if self._session.dialect is Dialect.LAB:
            return None
        return self._last_sign_of_life + self._service.session_timeout

    def processRtspRequest(self, data: Request | str | bytes) -> int:
        """Obey one request and answer it; return the status of the answer.

        Raises OSError when the answer can't be sent.
        """
        request = data if isinstance(data, Request) else _request_from_text(data)
        response = self._answer(request)
        if logger.isEnabledFor(logging.DEBUG):
            asked = printable(f"{request.method} {without_password(request.uri)}")
            logger.debug("%s < %s > %d", self._name, asked, response.status)
        self._connection.send(response.serialise(request))
        self._start_sending_if_playing()
        return response.status

    def replyRtsp(self, code: int, seq: int) -> None:
        """Send a bare reply in the lab dialect: OK_200, FILE_NOT_FOUND_404 or CON_ERR_500."""
        status = {self.OK_200: 200, self.FILE_NOT_FOUND_404: 404}.get(code, 500)
        request = Request("", "", cseq=str(seq), dialect=Dialect.LAB, form=Form("\n", False))
        session = self._session.session_id if self._session and status == 200 else ""
        self._connection.send(Response(status, session=session).serialise(request))

    def _answer(self, request: Request) -> Response:
        """Find the method that bears the request's name, and turn what it raises into a status."""
        try:
            if request.problem:  # not raised: with its traceback, it and the request would stay
                return self._problem(request.problem)
            refusal = self._refusal(request)
            if refusal is not None:
                return refusal
            if request.method not in self.METHODS:
                raise MessageError(f"{printable(request.method)} is not implemented", 501)
            if request.uri == "*" and request.method not in self.METHODS_OF_THE_SERVER:
                return Response(405, Headers([("Allow", ", ".join(self.METHODS_OF_THE_SERVER))]))
            required = request.headers.get("Require") or request.headers.get("Proxy-Require")
            if required:  # RFC 2326 section 12.32: no option is supported
                return Response(551, Headers([("Unsupported", printable(required))]))
            response: Response = getattr(self, f"do_{request.method}")(request)
            return response
        except MessageError as error:
            return self._problem(error)
        except OSError as error:
            logger.warning("%s failed: %s", self._name, error)
            return Response(503 if are_exhausted(error) else 500)
        except Exception:  # a fault of ours must not cost the client its connection
            logger.exception("%s: %s failed", self._name, printable(request.method))
            return Response(500)

    def _problem(self, error: MessageError) -> Response:
        logger.info("%s refused with %d: %s", self._name, error.status, error)
        return Response(error.status, reason=error.reason)

    def _new_gate(self, host: str) -> Gate | None:
        access = self._service.access
        return Gate(access, host, self._connection.is_private) if access is not None else None

    def _refusal(self, request: Request) -> Response | None:
        """Return a 401 where a user name and a password are missing or wrong.

        A wrong one waits in this thread, where it holds up nobody else.
        """
        if self._gate is None or request.method == self.OPTIONS:
            return None
        if request.dialect is Dialect.LAB:  # which has no words for it
            return Response(401)
        verdict = self._gate.check(request, time.monotonic())
        if verdict.delay:
            logger.warning("%s has tried a wrong user name or password", self._name)
            self._connection.wait(verdict.delay)
        return verdict.refusal

    # ------------------------------------------------------------------ the methods of RTSP

    def do_OPTIONS(self, request: Request) -> Response:
        """RFC 2326 section 10.1: say what we understand."""
        return self._ok(Headers([("Public", ", ".join(self.METHODS))]))

    def do_DESCRIBE(self, request: Request) -> Response:
        """RFC 2326 section 10.2: describe the movie in SDP."""
        accepted = request.headers.get("Accept", "application/sdp")
        if not any(kind in accepted for kind in ("application/sdp", "application/*", "*/*")):
            raise MessageError(f"only SDP is offered, not {printable(accepted, 60)}", 406)
        resource = resource_of(request)
        description = self._maker().describe(resource, request.dialect)
        headers = Headers([("Content-Type", "application/sdp")])
        if request.dialect is Dialect.STANDARD:
            headers.add("Content-Base", resource.url)
        response = self._ok(headers)
        response.body = description.encode("utf-8", "replace")
        return response

    def do_SETUP(self, request: Request) -> Response:
        """RFC 2326 section 10.4: open the movie and the way to the client."""
        new_state = transition(self.state, request.method)
        if self._session is not None:
            self._check_repeated_setup(request)
        offered = parse_transports(request.headers.get("Transport"))
        if self._connection.is_private:  # what leaves it could be read by everybody
            offered = [transport for transport in offered if transport.lower == "TCP"]
        session_id = self._session.session_id if self._session else new_session_id()
        resource = resource_of(request)
        self._take_seat()
        try:
            session, channel = self._maker().make(session_id, request.dialect, resource, offered)
            self._close_session()
            self._take_up(session, channel, new_state)
        finally:
            self._leave_seat()
        logger.info("%s set up %s", self._name, printable(resource.name))
        if request.dialect is Dialect.LAB:
            return self._ok()
        return self._ok(Headers([("Transport", session.transport.serialise())]))

    def do_PLAY(self, request: Request) -> Response:
        """RFC 2326 section 10.5: send from where the session stands, or from where Range says."""
        session, new_state = self._session_and_next_state(request)
        span = parse_range(request.headers.get("Range", "npt=now-"))
        self._service.pacer.start()  # once we have said yes, it is too late to find that it can't
        with self._lock:
            self._look_for_end_of_channel()
            if self.state is not State.PLAYING or _wants_change(request):
                self._stop_sending()
                if self._channel is None:  # of a multicast all see the same
                    session.go_to(span, request)
            self.state = new_state
            headers = session.play_headers(request)
        try:
            session.media.prepare(session.playback.cursor.number + 1)
        except Exception:
            with self._lock:
                self._stop_sending()
                self.state = State.READY
            raise
        return self._ok(headers)

    def do_PAUSE(self, request: Request) -> Response:
        """RFC 2326 section 10.6: stop sending; PLAY goes on with the next frame."""
        _, new_state = self._session_and_next_state(request)
        with self._lock:
            if self.state is State.PLAYING:
                self._stop_sending()
            self.state = new_state
        return self._ok()

    def do_TEARDOWN(self, request: Request) -> Response:
        """RFC 2326 section 10.7: end the session; the connection may set up another."""
        if self._session is not None or request.dialect is Dialect.STANDARD:
            self._checked_session(request)
        response = self._ok()
        self._close_session()
        self._leave_seat()
        return response

    def do_GET_PARAMETER(self, request: Request) -> Response:
        """RFC 2326 section 10.8: without parameters, a sign of life; there are no parameters."""
        if "Session" in request.headers:
            self._checked_session(request)
        if request.body.strip():
            raise MessageError("there are no parameters here", 451)
        return self._ok()

    def do_SET_PARAMETER(self, request: Request) -> Response:
        """RFC 2326 section 10.9: as GET_PARAMETER."""
        return self.do_GET_PARAMETER(request)

    # ------------------------------------------------------------------ what the methods need

    def _ok(self, headers: Headers | None = None) -> Response:
        session = ""
        if self._session is not None:
            session = self._session.session_id
            if self._session.dialect is Dialect.STANDARD:
                session += f";timeout={self._service.session_timeout:g}"
        return Response(200, headers or Headers(), session=session)

    def _session_and_next_state(self, request: Request) -> tuple[Session, State]:
        """Return the session, and the state that the request leads to.

        Without a session the standard asks for 454; a lab client is better told about the state.
        """
        if self._session is None and request.dialect is Dialect.STANDARD:
            self._checked_session(request)
        new_state = transition(self.state, request.method)
        return self._checked_session(request), new_state

    def _checked_session(self, request: Request) -> Session:
        """Return the session, which can be used only over the connection that made it.

        The older lab clients do not name it. Raises MessageError 454.
        """
        named = request.headers.get("Session").partition(";")[0].strip()
        if request.dialect is Dialect.LAB:
            named = lab.named_session(named)
        if (
            self._session is None
            or (named or request.dialect is Dialect.STANDARD)
            and (named != self._session.session_id)
        ):
            raise MessageError(f"no session {printable(named, 40)} on this connection", 454)
        return self._session

    def _check_repeated_setup(self, request: Request) -> None:
        """One session a connection: another SETUP must name it, as it changes its transport."""
        if request.dialect is Dialect.STANDARD:
            if "Session" not in request.headers:
                raise MessageError("this connection has a session already", 455)
            self._checked_session(request)

    def _take_seat(self) -> None:
        """Claim room for a session, unless there is one. Raises MessageError 503."""
        if not self._has_seat and not self._service.seats.acquire(blocking=False):
            raise MessageError("as many sessions as may be are set up", 503)
        self._has_seat = True

    def _leave_seat(self) -> None:
        """Leave the room to others, unless there is a session in it."""
        if self._has_seat and self._session is None:
            self._has_seat = False
            self._service.seats.release()

    def _maker(self) -> SessionMaker:
        return SessionMaker(self._service, self._viewer, self._name)

    def _take_up(
        self, session: Session, channel: MulticastChannel | None, new_state: State
    ) -> None:
        with self._lock:
            self._session = session
            self._channel = channel
            self.state = new_state
        self._service.metrics.session_began(session)
        if channel is None:
            self._service.metrics.stream_began(session.stream)
        cursor = session.playback.cursor
        self.clientInfo["videoStream"] = VideoStream(cursor.movie.path, cursor)
        self.clientInfo["session"] = session.session_id
        if session.transport.client_port:
            self.clientInfo["rtpPort"] = session.transport.client_port[0]
        sink = session.stream.sink
        if channel is None and isinstance(sink, UdpSink) and sink.rtcp_socket is not None:
            self._connection.watch(sink.rtcp_socket, self._udp_report_arrived)

    def _close_session(self) -> None:
        """End the session, if there is one. In the control thread, which watches its sockets."""
        with self._lock:
            self._stop_sending()
            session, self._session = self._session, None
            channel, self._channel = self._channel, None
            self.state = State.INIT
        if session is None:
            return
        self.clientInfo.pop("videoStream", None)  # it would keep the movie's file open
        self._service.metrics.session_ended(session)
        if channel is not None:
            return
        self._service.metrics.stream_ended(session.stream)
        sink = session.stream.sink
        try:
            session.say_goodbye()
        finally:
            if isinstance(sink, UdpSink) and sink.rtcp_socket is not None:
                self._connection.unwatch(sink.rtcp_socket)
            sink.close()

    # ------------------------------------------------------------------ media

    def _start_sending_if_playing(self) -> None:
        """Begin what PLAY asked for, once its reply is out: packets must not overtake it.

        The first frame goes at once: the pacer's thread would have to wake up for it.
        """
        with self._lock:
            if self.state is not State.PLAYING or self._session is None:
                return
            try:
                if self._channel is not None:
                    self._channel.join(self._name, self._channel_ended)
                elif self._ticket is None:
                    self._session.start_clock(time.monotonic())
                    due = self.sendRtp()
                    if due is not None:
                        self._ticket = self._service.pacer.add(self.sendRtp, due)
            except Exception:
                logger.exception("%s is sent no more: the server has failed", self._name)
                self._end_sending(self._session)

    def sendRtp(self) -> float | None:
        """Send the next frame; return when the one after it is due, None when there is none.

        Times are seconds of `time.monotonic`. The pacer calls this; for the first frame PLAY does.
        """
        with self._lock:
            session = self._session
            if self.state is not State.PLAYING or session is None:
                return None
            try:
                due = session.send_next(time.monotonic())
                if due is not None:
                    return due
                logger.info("%s has seen the whole movie", self._name)
            except ViewerGone as error:
                logger.info("%s is sent no more: %s", self._name, error)
                self._connection.hang_up()
            except (RtpLabError, OSError) as error:
                logger.warning("%s is sent no more: %s", self._name, error)
            except Exception:
                logger.exception("%s is sent no more: the server has failed", self._name)
            self._end_sending(session)
            return None

    def _end_sending(self, session: Session) -> None:
        """Go back to READY, and have BYE said soon. Under the lock."""
        self._stop_sending()
        self.state = State.READY
        if self._channel is not None:
            return  # the others go on
        by_udp = isinstance(session.stream.sink, UdpSink)
        self._farewells = FAREWELLS if by_udp and session.may_lose_packets else 1
        farewell = time.monotonic() + FAREWELL_DELAY
        self._ticket = self._service.pacer.add(self._end_stream, farewell)

    def _end_stream(self) -> float | None:
        """Say BYE, as often as it is to be said; return when to say it again."""
        with self._lock:
            session, ticket = self._session, self._ticket
            if session is None or ticket is None or self.state is not State.READY:
                return None
            session.say_goodbye()
            self._farewells -= 1
            if self._farewells:
                return time.monotonic() + FAREWELL_DELAY
            self._ticket = None
            return None

    def _channel_ended(self) -> None:
        with self._lock:
            self._look_for_end_of_channel()

    def _look_for_end_of_channel(self) -> None:
        """A viewer that asks for more at once may be faster than the pacer, which tells us."""
        if self._channel is not None and self._channel.has_ended_for(self._name):
            self.state = State.READY

    def _stop_sending(self) -> None:
        if self._channel is not None:
            self._channel.leave(self._name)
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None
            self._finish_frame()

    def _finish_frame(self) -> None:
        try:
            if self._session is not None:
                self._session.finish_frame()
        except ViewerGone:
            pass  # then it has nobody who would miss the rest
        except Exception:
            logger.exception("%s: the rest of a frame can't be sent", self._name)

    def makeRtp(self, payload: bytes, frameNbr: int) -> bytes:
        """Return the RTP packet that carries one whole JPEG in the lab dialect."""
        packet = RtpPacket()
        timestamp = round((frameNbr - 1) * CLOCK_RATE / self._service.fps)
        marker = int(self._service.marker)
        packet.encode(2, 0, 0, 0, frameNbr, marker, MJPEG, 0, payload, timestamp)
        return packet.getPacket()

    # ------------------------------------------------------------------ what viewers report

    def _interleaved_arrived(self, frame: InterleavedFrame) -> None:
        session = self._session
        channels = session.transport.interleaved if session is not None else None
        if channels is not None and frame.channel == channels[1]:
            self._report_arrived(frame.payload)

    def _udp_report_arrived(self) -> None:
        if self._session is not None and isinstance(self._session.stream.sink, UdpSink):
            self._report_arrived(self._session.stream.sink.receive_report())

    def _report_arrived(self, data: bytes) -> None:
        """A receiver report is a sign of life: some players send nothing else."""
        if self._session is not None and self._session.take_report(data):
            self._last_sign_of_life = time.monotonic()

    def _free(self) -> None:
        with ExitStack() as stack:  # each is done, whatever becomes of the others; the last first
            if self._owns_service:
                stack.callback(self._service.close)
            stack.callback(self._connection.close)
            stack.callback(self._leave_seat)
            stack.callback(self._close_session)


def _host_of(rtsp_socket: socket.socket) -> str:
    """Return our address as the client sees it; "" where the socket has none."""
    address = rtsp_socket.getsockname()
    return str(address[0]) if isinstance(address, tuple) else ""


def _wants_change(request: Request) -> bool:
    """Tell if a PLAY asks for another place or pace; without, it is a sign of life."""
    return any(name in request.headers for name in ("Range", "Scale", "Speed"))


def _request_from_text(data: str | bytes) -> Request:
    """Read one lab request that is known to be whole."""
    head = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    lines, eol = split_lines(head)
    return lab.parse_request(lines or [""], Form(eol, head.endswith((b"\n\n", b"\n\r\n"))))
