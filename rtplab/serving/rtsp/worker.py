"""One client of the server: its RTSP connection and its session.

Control runs in a thread of its own, which reads requests and answers each with the method named
after it. Media runs in the server's pacer, which calls `send_next` whenever a frame is due; only
the first frame is sent by the control thread itself.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
import weakref
from functools import partial
from typing import Any

from rtplab.protocol.addresses import host_of
from rtplab.protocol.errors import MessageError, PeerError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtsp import lab, parameters
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
from rtplab.protocol.rtsp.states import END, State, transition
from rtplab.protocol.rtsp.urls import without_password
from rtplab.serving.admission.access import Authenticator
from rtplab.serving.admission.descriptors import is_resource_exhaustion
from rtplab.serving.admission.limits import Pace
from rtplab.serving.rtsp.connection import RtspConnection
from rtplab.serving.rtsp.recording import Recorder, announced_media, checked_name
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import Session, new_session_id, resource_of
from rtplab.serving.rtsp.setup import ClientEndpoint, SessionMaker, knows_large_pictures
from rtplab.serving.rtsp.signsoflife import SignsOfLife
from rtplab.serving.rtsp.threads import Task

_TIMESTAMP = re.compile(r"\d{1,20}(?:\.\d{0,20})?(?: \d{0,20}(?:\.\d{0,20})?)?\Z", re.ASCII)
PUBLISHING = ("ANNOUNCE", "RECORD")
_SDP = ("application/sdp", "")
MAX_BAD_REQUESTS = 10  # in a row: by then the peer speaks something else

logger = logging.getLogger("rtplab.server")


def _unknown_session(named: str) -> MessageError:
    if not named:
        return MessageError("the request has no Session header", 454)
    return MessageError(f"no session {printable(named, 40)} on this connection", 454)


class RtspWorker:
    """One client. `do_SETUP` and the like answer the requests; `state` is that of the session.

    A subclass may override `receive_requests`, `process_request`, `send_next`, and the two methods
    that do nothing here: they are always called by these names.

    It has more attributes than other classes: most are objects that do part of the work.
    """

    METHODS = (
        *("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN"),
        *("GET_PARAMETER", "SET_PARAMETER"),
    )
    METHODS_OF_THE_SERVER = ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER")  # these need no movie

    state = State.INIT

    def __init__(
        self, rtsp_socket: socket.socket, address: tuple[Any, ...], service: Service | None = None
    ) -> None:
        """Take over a client. Without a `service`, the current folder is served. Raises OSError."""
        self._owns_service = service is None
        self._service = service or Service()
        log = weakref.WeakMethod(self._log_forgiven)  # the connection must not keep us alive
        self._connection = RtspConnection(
            rtsp_socket,
            self._service.tls,
            self._service.limits,
            Forgiveness(lambda sentence: (log() or _tell_nobody)(sentence)),
        )
        self._know_client(address, _host_of(rtsp_socket))
        self._pace = Pace(self._service.limits.requests_per_second)
        self._task: Task | None = None  # while it is served, and after
        self._signs = SignsOfLife(self._service, time.monotonic())
        self._has_slot = False

        # Guards the attributes below, as the pacer reports the end. Nothing blocks under it.
        self._lock = threading.RLock()
        self.state = State.INIT
        self._session: Session | None = None
        self._recorder: Recorder | None = None  # instead of a session, if it publishes

    def _know_client(self, address: tuple[Any, ...], local_host: str) -> None:
        """Note who the client is, and which address of ours it uses; "" if unknown."""
        name = f"{address[0]}:{address[1]}"
        self._client = ClientEndpoint(self._connection, local_host, host_of(address), name)
        users = self._service.users
        self._authenticator = Authenticator(users, address[0]) if users is not None else None

    # ------------------------------------------------------------------ for a subclass

    def client_known(self, address: tuple[str, int]) -> None:
        """Note the client's address as a proxy reports it."""

    def session_changed(self, session: Session | None) -> None:
        """Note the session that was set up, or None at its end."""

    # ------------------------------------------------------------------ the control thread

    def run(self) -> None:
        """Serve this client in its own thread, or refuse it if the system grants none."""
        try:
            self._task = self._service.threads.start(self.receive_requests)
        except RuntimeError as error:
            logger.warning("%s is refused: %s", self._client.name, str(error))
            self._connection.refuse("the server is full")
            self._free()

    def is_alive(self) -> bool:
        """Tell if the client is still served."""
        return self._task is not None and self._task.is_alive()

    def close(self) -> None:
        """Say BYE, hang up and wait for the end. May be called twice, from any thread."""
        self.stop()
        self.join()

    def stop(self) -> None:
        """Make it say BYE, hang up and free everything. May be called twice, from any thread."""
        self._connection.stop_listening("the server is shutting down")
        if self._task is None:
            self._free()

    def join(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds until everything is freed; tell if it is.

        That is impossible while a movie is being opened on a disk that does not answer.
        """
        if self._task is None or self._task.join(timeout):
            return True
        logger.warning("gave up on %s: a read of its movie does not return", self._client.name)
        return False

    def idle_since(self) -> float | None:
        """Time of the last request of a client without a session; None if it has one."""
        if self._session or self._recorder or self._connection.is_hung_up:
            return None
        return self._signs.last

    def make_room(self) -> None:
        """Hang up on an idle client to make room for another."""
        self._connection.hang_up("the server is full and the client was idle")

    def receive_requests(self) -> None:
        """Serve the client until it hangs up or falls silent."""
        why = "internal error in the server"
        try:
            self._ask_proxy()
            logger.info("%s connected", self._client.name)
            why = self._serve_if_admitted()
        except (OSError, PeerError) as error:
            why = printable(str(error))
        except Exception:
            logger.exception("%s is dropped: internal error", self._client.name)
        finally:
            self._free()
            if dropped := self._connection.dropped_frames:
                name = self._client.name
                logger.info("%s: %d frames dropped because it read too slowly", name, dropped)
            logger.info("%s gone: %s", self._client.name, self._connection.why_hung_up or why)

    def _log_forgiven(self, sentence: str) -> None:
        logger.warning("%s was accepted, but is not valid: %s", self._client.name, sentence)

    def _ask_proxy(self) -> None:
        """Learn the client's address from a proxy. Raises OSError, PeerError."""
        if self._service.client_address is None:
            return
        address = self._service.client_address(self._connection.rtsp_socket, self._client.host)
        if address is not None:
            # The address that the proxy connected to means nothing to the client.
            self._know_client(address, "")
            self.client_known(address)

    def _serve_if_admitted(self) -> str:
        """Serve the client if it is admitted; return why that ended. Raises OSError, PeerError."""
        admission, host = self._service.admission, self._client.host
        if not admission.enter(host):
            why = "its address has too many connections"
            self._connection.refuse(why)
            return why
        try:
            return self._serve()
        finally:
            admission.leave(host)

    def _serve(self) -> str:
        """Serve the client; return why that ended. Raises OSError, PeerError."""
        bad_requests = 0
        for message in self._connection.messages(self._deadline):
            if message is None:
                taken, now = self._connection.taken, time.monotonic()
                if self._signs.are_over(self._session, self._recorder, taken, now):
                    return "it has been silent for too long"
                continue
            now = time.monotonic()
            if isinstance(message, InterleavedFrame):
                if self._recorder is not None:
                    self._recorder.take_interleaved(message)
                    continue
                if delay := self._pace.delay(now):
                    self._connection.wait(delay)
                self._interleaved_arrived(message)
                continue
            self._signs.seen(now)
            if delay := self._service.admission.delay(self._client.host, self._pace, now):
                self._connection.wait(delay)
            status = self.process_request(message)
            self._signs.answered(self._connection.taken)
            bad_requests = bad_requests + 1 if status == 400 else 0
            if message.problem and message.problem.fatal:
                return f"nothing more can be parsed: {message.problem}"
            if bad_requests > MAX_BAD_REQUESTS:
                return "it sends only malformed requests"
        return "it has hung up"

    def _deadline(self) -> float | None:
        return self._signs.deadline(self._session, self._recorder)

    def _free(self) -> None:
        steps = [self._close_recorder, self._close_session, self._leave_slot]
        steps.append(self._connection.close)
        if self._owns_service:
            steps.append(self._service.close)
        for free in steps:
            try:
                free()
            except Exception:  # the others must be freed all the same
                logger.exception("%s: something can't be freed: internal error", self._client.name)

    # ------------------------------------------------------------------ a request and its answer

    def process_request(self, request: Request) -> int:
        """Handle one request and answer it; return the status of the answer.

        Raises OSError when the answer can't be sent.
        """
        response = self._answer(request)
        if logger.isEnabledFor(logging.DEBUG):
            asked = printable(f"{request.method} {without_password(request.uri)}")
            logger.debug("%s < %s > %d", self._client.name, asked, response.status)
        timestamp = request.headers.get("Timestamp")
        if _TIMESTAMP.match(timestamp) and request.dialect is Dialect.STANDARD:
            response.headers.add("Timestamp", timestamp)  # RFC 2326 section 12.38
        self._connection.send(response.serialise(request))
        self._start_if_playing()
        return response.status

    def reply(self, status: int, cseq: str, session: str) -> None:
        """Send a bare reply in the lab dialect; only a 200 names the session. Raises OSError."""
        request = Request("", "", cseq=cseq, dialect=Dialect.LAB, form=Form("\n", False))
        response = Response(status, session=session if status == 200 else "")
        self._connection.send(response.serialise(request))

    def _answer(self, request: Request) -> Response:
        """Call the method named after the request, and turn its exceptions into a status."""
        try:
            if request.problem:  # not raised: its traceback would keep it and the request alive
                return self._problem(request, request.problem)
            if self._authenticator is not None:
                refusal = self._refusal(request, self._authenticator)
                if refusal is not None:
                    return refusal
            known = (*self.METHODS, *(PUBLISHING if self._service.publishing else ()))
            if request.method not in known:
                raise MessageError(f"{printable(request.method)} is not implemented", 501)
            if request.uri == "*" and request.method not in self.METHODS_OF_THE_SERVER:
                return Response(405, Headers([("Allow", ", ".join(self.METHODS_OF_THE_SERVER))]))
            required = request.headers.get("Require") or request.headers.get("Proxy-Require")
            if required:  # RFC 2326 section 12.32: no option is supported
                return Response(551, Headers([("Unsupported", printable(required))]))
            response: Response = getattr(self, f"do_{request.method}")(request)
            return response
        except MessageError as error:
            return self._problem(request, error)
        except OSError as error:
            logger.warning("%s failed: %s", self._client.name, error)
            if not is_resource_exhaustion(error):
                return Response(500)
            return self._problem(
                request, MessageError("the server is out of resources for now", 503)
            )
        except Exception:  # a bug here must not cost the client its connection
            logger.exception("%s: %s failed", self._client.name, printable(request.method))
            return Response(500)

    def _problem(self, request: Request, error: MessageError) -> Response:
        """Report what is wrong in the log, and to standard clients, whose players show it.

        Lab clients expect the status's own phrase, and get no other.
        """
        logger.info("%s refused with %d: %s", self._client.name, error.status, error)
        response = Response(error.status, reason=error.reason)
        if not error.reason and request.dialect is Dialect.STANDARD:
            response.explain(str(error))
        return response

    def _refusal(self, request: Request, authenticator: Authenticator) -> Response | None:
        """Return a 401 if the user name and password are missing or wrong.

        A wrong one is delayed in this thread, where it holds up nobody else.
        """
        if request.method == "OPTIONS":
            return None
        if request.dialect is Dialect.LAB:  # it has no way to log in
            return Response(401)
        result = authenticator.check(request, time.monotonic())
        if result.delay:
            logger.warning("%s tried a wrong user name or password", self._client.name)
            self._connection.wait(result.delay)
        return result.refusal

    # ------------------------------------------------------------------ the methods of RTSP

    def do_OPTIONS(self, request: Request) -> Response:
        """RFC 2326 section 10.1: list the supported methods."""
        methods = (*self.METHODS, *(PUBLISHING if self._service.publishing else ()))
        return self._ok(Headers([("Public", ", ".join(methods))]))

    def do_DESCRIBE(self, request: Request) -> Response:
        """RFC 2326 section 10.2: describe the movie in SDP."""
        accepted = request.headers.get("Accept", "application/sdp").lower()
        if not any(kind in accepted for kind in ("application/sdp", "application/*", "*/*")):
            raise MessageError(f"only SDP is offered, not {printable(accepted, 60)}", 406)
        resource = resource_of(request)
        maker = self._session_maker(request)
        description = maker.describe(resource, request.dialect)
        headers = Headers([("Content-Type", "application/sdp")])
        if request.dialect is Dialect.STANDARD:
            headers.add("Content-Base", resource.url)
        response = self._ok(headers)
        response.body = description.encode("utf-8", "replace")
        return response

    def do_SETUP(self, request: Request) -> Response:
        """RFC 2326 section 10.4: open the movie and the path to the client."""
        new_state = transition(self.state, request.method)
        if self._recorder is not None:
            return self._set_up_recorder(request, self._recorder, new_state)
        if self._session is not None and request.dialect is Dialect.STANDARD:
            # One session per connection: another SETUP changes its transport, so it must name it.
            if "Session" not in request.headers:
                raise MessageError("this connection already has a session", 455)
            self._checked_session(request)
        offered = parse_transports(request.headers.get("Transport"))
        session_id = self._session.session_id if self._session else new_session_id()
        resource = resource_of(request)
        self._take_slot()
        try:
            maker = self._session_maker(request)
            session = maker.make(session_id, request.dialect, resource, offered)
            self._close_session()
            self._open_session(session, new_state)
        finally:
            self._leave_slot()
        logger.info(
            "%s set up %s by %s, in the %s dialect",
            self._client.name,
            printable(resource.name, 80),
            session.transport.way,
            request.dialect.value,
        )
        if request.dialect is Dialect.LAB:
            return self._ok()
        return self._ok(Headers([("Transport", session.transport.serialise())]))

    def do_PLAY(self, request: Request) -> Response:
        """RFC 2326 section 10.5: send from the session's position, or from that in Range."""
        session, new_state = self._session_and_next_state(request)
        span = parse_range(request.headers.get("Range", "npt=now-"))
        moved = False
        self._service.pacer.start()  # after a 200 it would be too late for this to fail
        with self._lock:
            self._check_end()
            # PLAY while playing, with the same position and pace, is a keep-alive.
            if self.state is not State.PLAYING or any(
                name in request.headers for name in ("Range", "Scale", "Speed")
            ):
                session.go_to(span, request)
                moved = True
            headers = session.play_headers(request)
            self.state = new_state
        try:
            session.delivery.prepare()
        except Exception:
            with self._lock:
                session.delivery.stop()
                self.state = transition(self.state, END)
            raise
        if moved:
            self._log_position("plays from", session)
        return self._ok(headers)

    def do_PAUSE(self, request: Request) -> Response:
        """RFC 2326 section 10.6: stop sending; PLAY goes on with the next frame."""
        if self._recorder is not None:
            self._check_recorder(request, self._recorder)
            self._close_recording(transition(self.state, request.method))
            return self._ok()
        session, new_state = self._session_and_next_state(request)
        with self._lock:
            self._check_end()
            if self.state is State.PLAYING:
                session.delivery.stop()
                self._log_position("pauses at", session)
            self.state = new_state
        return self._ok()

    def _log_position(self, does: str, session: Session) -> None:
        if not logger.isEnabledFor(logging.INFO):
            return
        info = session.delivery.info()
        pace = (
            "" if info.scale == info.speed == 1 else f", {info.scale * info.speed:g} times as fast"
        )
        start = info.range.start or 0.0
        logger.info("%s %s %.3f s%s", self._client.name, does, start, pace)

    def do_TEARDOWN(self, request: Request) -> Response:
        """RFC 2326 section 10.7: end the session; the connection may set up another."""
        if self._recorder is not None:
            self._check_recorder(request, self._recorder)
            response = self._ok()
            logger.info("%s tears down", self._client.name)
            self._close_recorder()
            self._leave_slot()
            return response
        if self._session is not None or request.dialect is Dialect.STANDARD:
            self._checked_session(request)
        response = self._ok()
        if self._session is not None:
            logger.info("%s tears down", self._client.name)
        self._close_session()
        self._leave_slot()
        return response

    def do_GET_PARAMETER(self, request: Request) -> Response:
        """RFC 2326 section 10.8: without parameters, a keep-alive; one parameter is known."""
        self._check_named_session(request)
        is_for_server = request.uri == "*" or not resource_of(request).name
        if is_for_server and parameters.asks_for_movies(request.body):
            response = self._ok(Headers([("Content-Type", parameters.CONTENT_TYPE)]))
            response.body = parameters.written(name for name, _ in self._service.names())
            return response
        return self._without_parameters(request)

    def do_SET_PARAMETER(self, request: Request) -> Response:
        """RFC 2326 section 10.9: without parameters, a keep-alive; none can be set."""
        self._check_named_session(request)
        return self._without_parameters(request)

    def _check_named_session(self, request: Request) -> None:
        """Raises MessageError 454 if a request names another session."""
        if "Session" in request.headers:
            if self._recorder is not None:
                self._check_recorder(request, self._recorder)
            else:
                self._checked_session(request)

    def _without_parameters(self, request: Request) -> Response:
        if request.body.strip():
            raise MessageError("unknown parameter", 451)
        return self._ok()

    # ------------------------------------------------------------------ publishing

    def do_ANNOUNCE(self, request: Request) -> Response:
        """RFC 2326 section 10.3: note what the client is going to publish."""
        users = self._service.users
        if users is not None and self._user not in users.publishers:
            raise MessageError(f"{printable(self._user, 60)} may watch, but not publish", 403)
        if self._session is not None or self.state is not State.INIT:
            raise MessageError("this connection already has a session", 455)
        if request.headers.get("Content-Type").partition(";")[0].strip().lower() not in _SDP:
            raise MessageError("ANNOUNCE needs a description in SDP", 415)
        payload_type, fps = announced_media(request.body)
        resource = resource_of(request)
        checked_name(resource.name)
        if self._service.library.has(resource.name):
            raise MessageError(
                f"{printable(resource.name, 60)} is a movie: publish under another name", 403
            )
        self._recorder = Recorder(resource, payload_type, fps, self._service.cname)
        return self._ok()

    def _set_up_recorder(self, request: Request, recorder: Recorder, state: State) -> Response:
        """Open the path from the client."""
        if recorder.session_id:
            self._check_recorder(request, recorder)
        self._take_slot()
        transport = recorder.set_up(
            parse_transports(request.headers.get("Transport")), self._client
        )
        self.state = state
        name = printable(recorder.name, 80)
        logger.info("%s set up %s by %s, to publish it", self._client.name, name, transport.way)
        value = f"{transport.serialise()};mode=record"
        return self._ok(Headers([("Transport", value)]))

    def do_RECORD(self, request: Request) -> Response:
        """RFC 2326 section 10.11: show the published pictures to viewers."""
        if self._recorder is None:
            raise MessageError("nothing has been announced on this connection", 455)
        # RFC 2326 appendix A has a separate state for it, with the same moves.
        new_state = transition(self.state, "PLAY")
        self._check_recorder(request, self._recorder)
        hang_up = partial(self._connection.hang_up, "its stream is published by another connection")
        user = self._user if self._service.users is not None else None
        self._recorder.record(self._service.live, user, hang_up)
        self.state = new_state
        logger.info("%s publishes %s", self._client.name, printable(self._recorder.name, 80))
        return self._ok()

    @property
    def _user(self) -> str:
        return self._authenticator.user if self._authenticator is not None else ""

    def _check_recorder(self, request: Request, recorder: Recorder) -> None:
        """Raises MessageError 454 if a request names another session."""
        named = request.headers.get("Session").partition(";")[0].strip()
        if named != recorder.session_id:
            raise _unknown_session(named)

    def _close_recording(self, new_state: State) -> None:
        if self._recorder is not None:
            self._recorder.pause(self._service.wait)
        self.state = new_state

    def _close_recorder(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self.state = State.INIT
            recorder.close(self._connection, self._service.wait)

    # ------------------------------------------------------------------ the session

    def _session_maker(self, request: Request) -> SessionMaker:
        knows_large = knows_large_pictures(request.headers.get("User-Agent"))
        return SessionMaker(self._service, self._client, knows_large)

    def _ok(self, headers: Headers | None = None) -> Response:
        session = ""
        if self._recorder is not None and self._recorder.session_id:
            session = f"{self._recorder.session_id};timeout={self._service.session_timeout:g}"
        elif self._session is not None:
            session = self._session.session_id
            if self._session.dialect is Dialect.STANDARD:
                session += f";timeout={self._service.session_timeout:g}"
        return Response(200, headers if headers is not None else Headers(), session=session)

    def _session_and_next_state(self, request: Request) -> tuple[Session, State]:
        """Return the session, and the state that the request leads to.

        Without a session a standard client gets 454; a lab client, better, learns of the state.
        """
        if self._session is None and request.dialect is Dialect.STANDARD:
            self._checked_session(request)
        new_state = transition(self.state, request.method)
        return self._checked_session(request), new_state

    def _checked_session(self, request: Request) -> Session:
        """Return the session, which can be used only over the connection that made it.

        Older lab clients do not name it. Raises MessageError 454.
        """
        named = request.headers.get("Session").partition(";")[0].strip()
        if request.dialect is Dialect.LAB:
            named = lab.named_session(named)
        if (
            self._session is None
            or (named or request.dialect is Dialect.STANDARD)
            and (named != self._session.session_id)
        ):
            raise _unknown_session(named)
        return self._session

    def _take_slot(self) -> None:
        """Claim a slot for a session, unless it has one. Raises MessageError 503."""
        if not self._has_slot and not self._service.session_slots.acquire(blocking=False):
            raise MessageError("the session limit has been reached", 503)
        self._has_slot = True

    def _leave_slot(self) -> None:
        """Free the slot, unless a session uses it."""
        if self._has_slot and self._session is None and self._recorder is None:
            self._has_slot = False
            self._service.session_slots.release()

    def _open_session(self, session: Session, new_state: State) -> None:
        with self._lock:
            self._session = session
            self.state = new_state
        if self._service.observer is not None:
            self._service.observer.session_began(session)
        if (report_socket := session.delivery.report_socket) is not None:
            self._connection.watch(report_socket, self._udp_report_arrived)
        self.session_changed(session)

    def _close_session(self) -> None:
        """End the session, if there is one. In the control thread, which watches its sockets."""
        with self._lock:
            session, self._session = self._session, None
            self.state = transition(self.state, "TEARDOWN")
        if session is None:
            return
        self.session_changed(None)
        session.delivery.stop()
        if (report_socket := session.delivery.report_socket) is not None:
            self._connection.unwatch(report_socket)
        if self._service.observer is not None:
            self._service.observer.session_ended(session)
        session.delivery.close()

    # ------------------------------------------------------------------ media

    def _start_if_playing(self) -> None:
        """Start playing once PLAY's reply is out: packets must not overtake it."""
        with self._lock:
            if self.state is State.PLAYING and self._session is not None:
                self._session.delivery.start(self.send_next, self._delivery_ended)

    def send_next(self) -> float | None:
        """Send the next frame; return when the one after it is due, None at the end.

        Times are seconds of `clock.steady`. The pacer calls this; for the first frame PLAY does.
        """
        session = self._session
        return session.delivery.send_next() if session is not None else None

    def _delivery_ended(self, is_gone: bool) -> None:
        """Note the end; called by the pacer. A client's next request may be faster than this."""
        if is_gone:
            self._connection.hang_up("sending to it failed")
        with self._lock:
            self._check_end()

    def _check_end(self) -> None:
        """Go back to READY if the movie is over. Under the lock."""
        session = self._session
        if session is not None and self.state is State.PLAYING and session.delivery.has_ended:
            self.state = transition(self.state, END)

    # ------------------------------------------------------------------ what viewers report

    def _interleaved_arrived(self, frame: InterleavedFrame) -> None:
        session = self._session
        channels = session.transport.interleaved if session is not None else None
        if session is not None and channels is not None and frame.channel == channels[1]:
            self._note_sign_of_life(session.delivery.take_report(frame.payload))

    def _udp_report_arrived(self) -> None:
        if self._session is not None:
            self._note_sign_of_life(self._session.delivery.receive_report())

    def _note_sign_of_life(self, was_report: bool) -> None:
        """Count a receiver report as a keep-alive: some players send nothing else."""
        if was_report:
            self._signs.seen(time.monotonic())


def _tell_nobody(sentence: str) -> None:
    """Note that the client is gone."""


def _host_of(rtsp_socket: socket.socket) -> str:
    """Return our address as the client sees it; "" if the socket has none."""
    address = rtsp_socket.getsockname()
    return host_of(address) if isinstance(address, tuple) else ""
