"""The RTSP/RTP client: it asks a server for a movie, receives it, and hands its frames on.

Two threads work for it: one reads the server's replies (`recvRtspReply`), one receives RTP
(`listenRtp`). With a `master` it drives a Tk window, which fetches frames and state from here;
without one it runs alone. A file name is asked for in the lab dialect, an rtsp:// address in the
standard one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rtplab.protocol.errors import MessageError, SessionError
from rtplab.protocol.rtsp.auth import hide_password
from rtplab.protocol.rtsp.messages import Dialect, InterleavedFrame, Request, Response
from rtplab.protocol.rtsp.parser import ResponseParser
from rtplab.protocol.rtsp.states import State, transition
from rtplab.receiving.files.capture import Endpoints, LiveCapture
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.files.pcap import Endpoint
from rtplab.receiving.rtp.frames import Frame, LabAssembler, RtpJpegFrames
from rtplab.receiving.rtp.impairment import Conditions, Impairment
from rtplab.receiving.rtp.playout import PlayoutBuffer
from rtplab.receiving.rtp.receiver import MediaReceiver
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtp.rtpsocket import RtpSocket
from rtplab.receiving.rtp.source import SourceChoice
from rtplab.receiving.rtsp import timelimits
from rtplab.receiving.rtsp.connection import ClientConnection
from rtplab.receiving.rtsp.login import LoginNeeded
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.standarddialogue import Redirected, StandardDialogue, says_end
from rtplab.receiving.rtsp.timelimits import AwaitedReply, KeepAlive, Silence, is_past
from rtplab.receiving.rtsp.trust import TlsTrust

TEARDOWN_TIMEOUT = 1.0  # seconds that a server may take to answer TEARDOWN: then we go anyway
MAX_REDIRECTIONS = 5  # in a row: more is a loop
MAX_SESSION_DIGITS = 20  # of a session id that counts as a number, as those of lab servers do

METHODS = ("SETUP", "PLAY", "PAUSE", "TEARDOWN")  # by the numbers of the classic lab


class Client:
    """One session with one server.

    `state` is where the session stands. `error` is the last failure and `notice` what else the
    user should know, each a sentence, or "". `onFrame` is called in the RTP thread with each Frame.
    """

    SETUP = 0
    PLAY = 1
    PAUSE = 2
    TEARDOWN = 3

    INIT = State.INIT
    READY = State.READY
    PLAYING = State.PLAYING

    state = INIT  # the lab's scripts read it on the class, too

    def __init__(
        self,
        master: Any,
        serveraddr: str,
        serverport: int | str,
        rtpport: int | str,
        filename: str,
        transport: str = "auto",
        trust: TlsTrust | None = None,
    ) -> None:
        """Connect to the server; when that fails, `error` says so and SETUP tries again.

        With a `master`, a Tk root or toplevel, the player is built in it. An rtsp:// address as
        `filename` goes before `serveraddr` and `serverport`; `transport` (auto, udp or tcp) is
        then how the media is to come, which with rtsps:// is always TCP, and `trust` says which
        certificates are good. Raises MessageError when the address is none.
        """
        self.master = master
        self._source = MovieSource(serveraddr, int(serverport), filename, transport, trust)
        self.rtpPort = int(rtpport)
        self.error = ""
        self.needsPassword = False  # the server has asked for one: `logIn` gives it
        self.notice = ""
        self.ended = False  # the server has said that the movie is over
        self.onFrame: Callable[[Frame], None] | None = None
        self.observer: Observer | None = None
        self._capture: LiveCapture | None = None
        self.playout = PlayoutBuffer()
        self.impairment = Impairment(Conditions())  # what is done on purpose to RTP that arrives
        self._dialogue = self._source.dialogue()
        self._receiver = self._new_receiver()

        # Guards what follows, and is notified of every reply, failure and frame: the user's
        # thread, the reply thread and the RTP thread use it.
        self._changed = threading.Condition(threading.RLock())
        self._connection: ClientConnection | None = None
        self._ends: tuple[Endpoint, Endpoint] | None = None  # of the last connection
        self._rtp_socket: RtpSocket | None = None
        self._threads: list[threading.Thread] = []
        self._play_when_ready = False
        self._seek_position: float | None = None  # where the next PLAY is to begin
        self._scale = 1.0
        self._redirections = 0
        self.teardownAcked = 0  # until the next SETUP, 1 when TEARDOWN has been answered
        self._reset_session()
        self._command_lock = threading.Lock()  # one command that may block at a time

        if master is not None:
            self.createWidgets()
        self._run(self.connectToServer)

    def _reset_session(self) -> None:
        self.state = State.INIT
        self.rtspSeq = 0
        self.sessionId: int | str = 0
        self.requestSent = -1
        self.frameNbr = 0
        self.firstFrameDelay: float | None = None  # seconds from PLAY to the first frame
        self._played_at = 0.0
        self._ended_source: int | None = None  # the one that said BYE
        self._last_picture: float | None = None  # when it arrived
        self._misplaced = False  # the last ones are not of the place that was asked for
        self._unshown = ""  # what was said last about packets that make no picture
        self._early_frames: list[Frame] = []  # came before the reply to PLAY
        self._awaited = AwaitedReply()
        self._silence = Silence()
        self._keep_alive = KeepAlive(self._dialogue, self._send)

    def _new_receiver(self) -> MediaReceiver:
        reception = Reception(LabAssembler(), patience=self.playout.latency)
        receiver = MediaReceiver(reception, self._deliver, self._movie_ended)
        receiver.observer = self.observer
        # Anew for each session, so that the same is done to its n-th packet every time.
        self.impairment = receiver.impairment = Impairment(self.impairment.conditions)
        return receiver

    # ------------------------------------------------------------------ the user's commands

    def createWidgets(self) -> None:
        """Build the player in `master`."""
        from rtplab.player.window import PlayerWindow

        self.window = PlayerWindow(self.master, self)

    def setupMovie(self) -> None:
        """Ask the server for the movie; connect first where needed. Only in INIT."""
        if self.state is State.INIT and not self._awaits_reply():
            self.needsPassword = False
            self.error = ""
            self._run(self._connect_and_set_up)

    def playMovie(self) -> None:
        """Have the movie sent. Only in READY."""
        with self._changed:
            if self.state is State.READY and not self._awaits_reply():
                self.sendRtspRequest(self.PLAY)

    def pauseMovie(self) -> None:
        """Have the sending stopped for now. Only in PLAYING."""
        with self._changed:
            if self.state is State.PLAYING and not self._awaits_reply():
                self.sendRtspRequest(self.PAUSE)

    def exitClient(self) -> None:
        """Tear the session down and free all that it used. SETUP can begin another."""
        self._run(self._tear_down)

    def handler(self) -> None:
        """The window is to be closed: pause, and ask."""
        self.window.confirm_close()

    def seekMovie(self, seconds: float) -> None:
        """Go to another place in the movie. A lab server knows none."""
        if isinstance(self._dialogue, StandardDialogue):
            self._seek_position = max(0.0, seconds)
            self._play_anew()

    def setSpeed(self, scale: float) -> None:
        """Play at `scale` times the normal speed. A lab server knows only one."""
        if isinstance(self._dialogue, StandardDialogue):
            self._scale = scale
            self._play_anew()

    def _play_anew(self) -> None:
        """Let a stream that plays go on as wished now: PAUSE first, for servers that queue PLAY."""
        with self._changed:
            if self.state is State.PLAYING and not self._awaits_reply():
                self._play_when_ready = True
                self.sendRtspRequest(self.PAUSE)

    def logIn(self, user: str, password: str) -> None:
        """Set up as this user: the answer to `needsPassword`. A lab server knows no users."""
        self._source.log_in(user, password)
        self.setupMovie()

    # ------------------------------------------------------------------ connecting and setting up

    def connectToServer(self) -> None:
        """Connect, unless connected; a failure is told in `error`."""
        with self._command_lock:
            self._connect()

    def _connect(self) -> None:
        if self._connection is not None:
            return
        try:
            connection = self._source.connect(self._dialogue)
        except SessionError as error:
            self._fail(str(error))
            return
        with self._changed:
            self._connection = connection
            self._ends = connection.server, connection.local
            try:
                self._start(self.recvRtspReply, "rtsp")
            except SessionError as error:
                self._connection = None
                connection.close()
                self._fail(str(error))

    def _connect_and_set_up(self) -> None:
        with self._command_lock:
            if self.state is not State.INIT or self._awaits_reply():
                return  # asked for twice while it connected
            self._dialogue = self._source.dialogue()
            self._keep_alive = KeepAlive(self._dialogue, self._send)
            self._connect()
            if self._connection is None:
                return
            self._free_rtp_port()
            self._receiver = self._new_receiver()
            try:
                self.openRtpPort()
            except SessionError as error:
                self._fail(str(error))
                return
            self.sendRtspRequest(self.SETUP)

    def _begin_anew(self) -> None:
        """Give up the connection and set up on another: somewhere else, or by TCP."""
        self._hang_up()
        self._reset_session()
        self._start_command(self._connect_and_set_up)

    def _tear_down(self) -> None:
        with self._command_lock:
            if self.state is not State.INIT:
                self.sendRtspRequest(self.TEARDOWN)
                self.waitFor(lambda: not self._awaits_reply(), TEARDOWN_TIMEOUT)
        self.close()

    # ------------------------------------------------------------------ requests

    def sendRtspRequest(self, requestCode: int) -> None:
        """Send SETUP, PLAY, PAUSE or TEARDOWN; what comes of it shows in `state` or `error`."""
        with self._changed:
            if self._connection is None:
                self._fail("There is no connection to a server: press Setup.")
                return
            self.requestSent = requestCode
            self._ask(self._request(requestCode))

    def _request(self, requestCode: int) -> Request:
        if requestCode == self.SETUP:
            self.teardownAcked = 0
            return self._dialogue.setup(self.rtpPort)
        if requestCode == self.PLAY:
            self._played_at = time.monotonic()
            self._silence.begin(self._played_at)
            self.reception.begin()
            self._misplaced = False
            self.firstFrameDelay = None
            self.ended = False
            self.reception.paused()  # packets may have come after the reply to PAUSE
            position, self._seek_position = self._seek_position, None
            return self._dialogue.play(position, self._scale)
        return self._dialogue.pause() if requestCode == self.PAUSE else self._dialogue.teardown()

    def _ask(self, request: Request) -> None:
        """Send a request whose reply is awaited."""
        self._awaited.expect(request, time.monotonic())
        self._send(request)

    def _send(self, request: Request) -> None:
        """Number a request and send it, unless somebody has hung up meanwhile."""
        if self._connection is None:
            return
        self.rtspSeq += 1
        request.cseq = str(self.rtspSeq)
        self._keep_alive.request_sent(time.monotonic())
        data = request.serialise()
        if self.observer is not None:
            self.observer.message_sent(hide_password(data), time.time())
        self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        """Send bytes, if there is still a connection; without one, the session is lost."""
        try:
            if self._connection is not None:
                self._connection.send(data)
        except OSError as error:
            self._lose(f"The server is gone ({error.strerror}): press Setup.")

    # ------------------------------------------------------------------ replies

    def recvRtspReply(self) -> None:
        """Read replies until the connection ends. Runs in a thread of its own."""
        connection = self._connection
        assert connection is not None
        try:
            while self._connection is connection:
                message = connection.receive(self._next_deadline())
                if isinstance(message, Response):
                    self.parseRtspReply(message)
                elif isinstance(message, InterleavedFrame):
                    self._receiver.take_interleaved(message)
                elif isinstance(message, Request):
                    self._answer(message)
                self._look_at_clock(time.monotonic())
        except SessionError as error:
            with self._changed:
                if self._connection is connection:
                    self._lose(str(error))
        finally:
            connection.close()

    def parseRtspReply(self, data: Response | str | bytes) -> None:
        """Act on the server's reply to the last request."""
        response = data if isinstance(data, Response) else _response_from_text(data)
        if self.observer is not None:
            self.observer.message_received(response.raw, time.time())
        with self._changed:
            if self._is_about_keep_alive(response, self._keep_alive.take):
                return
            if not self._awaited.take(response):
                self._is_about_keep_alive(response, self._keep_alive.take_stray)
                return
            try:
                follow_up = self._dialogue.received(response)
            except SessionError as error:
                self._play_when_ready = False
                self.needsPassword = isinstance(error, LoginNeeded)
                self._fail(str(error))
            except Redirected as redirected:
                self._redirect(redirected)
            else:
                if follow_up is not None:
                    self._ask(follow_up)
                else:
                    self._succeed(METHODS[self.requestSent])
            self._changed.notify_all()

    def _is_about_keep_alive(
        self, response: Response, take: Callable[[Response, float], bool]
    ) -> bool:
        try:
            return take(response, time.monotonic())
        except SessionError as error:
            self._fail(str(error))
            return True

    def _answer(self, request: Request) -> None:
        """Answer a request of the server's. One that says that the movie is over ends it."""
        if self.observer is not None:
            self.observer.message_received(request.raw, time.time())
        with self._changed:
            self._keep_alive.server_is_there()
            if not isinstance(self._dialogue, StandardDialogue):
                return
            reply = self._dialogue.answer(request).serialise(request)
            if self.observer is not None:
                self.observer.message_sent(reply, time.time())
            self._transmit(reply)
            if says_end(request) and self.state is State.PLAYING:
                self._receiver.end()
                if self._rtp_socket is not None:
                    self._rtp_socket.look_up()

    def _succeed(self, method: str) -> None:
        self.error = self.notice = ""
        self.needsPassword = False
        self.state = transition(self.state, method)
        if method == "SETUP":
            self._set_up()
        elif method == "PLAY":
            self._take_session_id()
            if self._dialogue.uses_udp:  # over TCP nothing is overtaken
                self.reception.first_number = self._dialogue.first_number
            early, self._early_frames = self._early_frames, []
            self._deliver(early)
        elif method == "PAUSE":
            self.reception.paused()
        elif method == "TEARDOWN":
            self.teardownAcked = 1
        if self.state is State.READY and self._play_when_ready:
            self._play_when_ready = False
            self.playout.clear()
            self.sendRtspRequest(self.PLAY)

    def _set_up(self) -> None:
        """Take over what the server said about the session and its transport."""
        dialogue = self._dialogue
        self._take_session_id()
        self._redirections = 0
        if isinstance(dialogue, StandardDialogue):
            hint, by_channel = dialogue.transport.ssrc, not dialogue.uses_udp
            self.reception.follow(SourceChoice(hint, at_once=by_channel))
            self.reception.assembler = RtpJpegFrames(dialogue.payload_type)
            self.reception.expected_version = 2
        self._receiver.transport = dialogue.transport
        if not dialogue.uses_udp:
            self._close_rtp_port()
        elif self._rtp_socket is not None:
            self._rtp_socket.look_up()  # to open the way through a firewall at once

    def _take_session_id(self) -> None:
        session = self._dialogue.session_id
        is_number = session.isascii() and session.isdigit() and len(session) <= MAX_SESSION_DIGITS
        self.sessionId = int(session) if is_number else session

    def _redirect(self, redirected: Redirected) -> None:
        """RFC 2326 section 11.3: ask at the other address."""
        self._redirections += 1
        if self._redirections > MAX_REDIRECTIONS:
            self._fail("The server sends us from one address to the next: given up.")
        else:
            self._source.redirect(redirected.url)
            self._begin_anew()

    # ------------------------------------------------------------------ RTP

    def openRtpPort(self) -> None:
        """Open the RTP port and start to receive. Raises SessionError when that can't be."""
        with self._changed:
            self.playout.clear()
            if (
                self._rtp_socket is None
                and self._connection is not None
                and self._dialogue.uses_udp
            ):
                host = self._connection.server.host
                self._rtp_socket = RtpSocket(self.rtpPort, host, self._dialogue.wants_rtcp)
                self.rtpPort = self._rtp_socket.port
                try:
                    self._start(self.listenRtp, "rtp")
                except SessionError:
                    self._rtp_socket.close()
                    self._rtp_socket = None
                    raise

    def listenRtp(self) -> None:
        """Receive RTP until the port is closed. Runs in a thread of its own."""
        rtp_socket = self._rtp_socket
        assert rtp_socket is not None
        self._receiver.listen(rtp_socket, self._dialogue.wants_rtcp)

    def _deliver(self, frames: list[Frame]) -> None:
        """Hand frames on to the window, or to whoever asked for them. In the receiving thread."""
        with self._changed:
            if self._awaits_reply() and self.requestSent == self.PLAY:
                self._early_frames += frames  # where they belong, only the reply will say
                return
            if self.ended and self.state is State.READY and not self._awaits_reply():
                self._go_on()
        position = self._dialogue.position
        if position is not None:
            count, frames = len(frames), position.numbered(frames)
            self._misplaced = len(frames) < count
        for frame in frames:
            self.playout.put(frame)
            on_frame = self.onFrame  # the user's thread may take it away at any moment
            if on_frame is not None:
                on_frame(frame)
            with self._changed:
                self.frameNbr = frame.number
                self._last_picture = frame.arrival
                self.notice = ""
                self._keep_alive.server_is_there()
                # A last frame after the session was lost must not wipe out why.
                if self.firstFrameDelay is None and self.state is not State.INIT:
                    self.firstFrameDelay = frame.arrival - self._played_at
                    self.error = ""
                elif self.error and self.error == self._unshown:
                    self.error = ""
                self._changed.notify_all()

    def writeFrame(self, data: bytes) -> bytes:
        """Keep a JPEG in memory for `updateMovie`; no file is written."""
        return data

    def updateMovie(self, imageFile: bytes) -> None:
        """Show a JPEG in the window now. Only in the thread that runs the window."""
        if self.master is not None:
            self.window.show(imageFile)

    def _movie_ended(self) -> None:
        """The server has said BYE: it stands in READY, and so do we."""
        with self._changed:
            if self.state is State.PLAYING:
                self.state = State.READY
                self.ended = True
                self._ended_source = self.reception.ssrc
                if self.firstFrameDelay is None and self.reception.unshown:
                    self._tell_unshown()
                else:
                    self.notice = "The movie has ended."
                self.reception.paused()
                self._changed.notify_all()

    def _go_on(self) -> None:
        """Frames after the end: where they are of another source, only that one had ended."""
        if self.reception.ssrc != self._ended_source:
            self.state = State.PLAYING
            self.ended = False

    # ------------------------------------------------------------------ when nothing comes

    def _next_deadline(self) -> float | None:
        """When the reply thread has something to do although nothing arrived."""
        deadlines = [self._awaited.deadline, self._keep_alive.loss_deadline]
        if self.state is not State.INIT:
            deadlines.append(self._keep_alive.deadline())
        if self._pictures_are_due():
            deadlines.append(self._silence.deadline(*self._pictures_so_far()))
        if self._receiver.transport.interleaved and self.state is State.PLAYING:
            deadlines.append(self._receiver.reporter.deadline())
        return min((moment for moment in deadlines if moment is not None), default=None)

    def _look_at_clock(self, now: float) -> None:
        with self._changed:
            if self._connection is None:
                return
            if is_past(self._awaited.deadline, now) and not (
                self._connection.has_more() and self._awaited.extend(now)
            ):
                self._give_up_waiting()
            if self._pictures_are_due() and self._silence.is_too_long(
                now, *self._pictures_so_far()
            ):
                self._tell_no_picture(now)
            if self.state is not State.INIT and is_past(self._keep_alive.deadline(), now):
                self._keep_alive.send(now)
            if is_past(self._keep_alive.loss_deadline, now) and not (
                self._connection.has_more() and self._keep_alive.extend(now)
            ):
                self._lose("The connection is lost: the server answers no more.")
                return
            report = self._receiver.interleaved_report() if self.state is State.PLAYING else None
            if report is not None:
                self._transmit(report)

    def _pictures_are_due(self) -> bool:
        """Tell if the user is to be told when none comes; once told, no more."""
        is_told = self.notice or self.error
        return self.state is State.PLAYING and not self._awaits_reply() and not is_told

    def _pictures_so_far(self) -> tuple[float | None, float]:
        """When the last one came, and the longest gap between two, in seconds."""
        position, gap = self._dialogue.position, self.reception.longest_gap
        if position is not None and position.frame_rate:
            gap = max(gap, 1 / position.frame_rate)
        return self._last_picture, gap

    def _give_up_waiting(self) -> None:
        self._awaited.give_up()
        self._play_when_ready = False
        self._fail(
            f"The server has not answered {self._awaited.method} within "
            f"{timelimits.REPLY_TIMEOUT:g} s: try again, or tear down and set up anew."
        )

    def _tell_no_picture(self, now: float) -> None:
        """Packets that make no picture, the end, a lost server, or a firewall that blocks UDP."""
        reception = self.reception
        limit = self._silence.limit(self._pictures_so_far()[1])
        seconds = f"{limit:.3g} s"
        # A stream that stopped in the middle of a picture has stopped; one that goes on has not.
        has_stopped = reception.last_arrival is None or now - reception.last_arrival > limit / 2
        is_unshown = reception.unshown and (self.firstFrameDelay is None or not has_stopped)
        if is_unshown or self._misplaced:
            self._tell_unshown()
        elif self.firstFrameDelay is not None:
            what = "picture" if reception.unshown else "packet"
            self.notice = (
                f"No {what} for {seconds}: the movie has ended, or the server has stopped sending."
            )
            self._keep_alive.ask_if_still_there(now)
            self._changed.notify_all()
        elif self._dialogue.uses_udp and self._source.change_to_tcp():
            self._play_when_ready = True
            self._begin_anew()
        else:
            udp = f", or a firewall blocks UDP port {self.rtpPort}"
            why = self._receiver.stray or (
                f"the server may not have {self.fileName}{udp if self._dialogue.uses_udp else ''}"
            )
            self._fail(f"No picture has come within {seconds} of PLAY: {why}.")

    def _tell_unshown(self) -> None:
        """Packets have come since the last picture, if there was one, and have made none."""
        why = self.reception.problem or "none is complete"
        if self._misplaced:
            why = "by their timestamps they lie before the place that was asked for"
        self._unshown = f"Packets have come, but no picture can be made of them: {why}."
        self._fail(self._unshown)

    # ------------------------------------------------------------------ failures

    def _fail(self, sentence: str) -> None:
        with self._changed:
            self.error = sentence
            self._changed.notify_all()

    def _lose(self, sentence: str) -> None:
        """The connection is no more: the session is over, and SETUP can begin another."""
        with self._changed:
            torn_down = self.teardownAcked or self.requestSent == self.TEARDOWN
            # Who refuses a session may hang up then; the refusal says more than that.
            is_refused = self.error and self.state is State.INIT and not self._awaits_reply()
            self._hang_up()
            self._reset_session()
            if not torn_down and not is_refused:
                self._fail(self._dialogue.refused or sentence)
            self._changed.notify_all()

    # ------------------------------------------------------------------ threads and sockets

    def _run(self, command: Callable[[], None]) -> None:
        """Run a command that may block: beside a window, which must not wait, else here."""
        if self.master is None:
            command()
        else:
            self._start_command(command)

    def _start_command(self, command: Callable[[], None]) -> None:
        try:
            self._start(command, "command")
        except SessionError as error:
            self._fail(str(error))

    def _start(self, target: Callable[[], None], name: str) -> None:
        """Start a thread. Raises SessionError when the system grants none."""
        thread = threading.Thread(target=target, name=name)
        with self._changed:
            try:
                thread.start()
            except RuntimeError as error:
                raise SessionError(
                    f"The system grants no thread ({error}): close other programs, then try again."
                ) from error
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]

    def _free_rtp_port(self) -> None:
        """Have the receiving thread of an earlier session, or of a refused SETUP, end."""
        with self._changed:
            self._close_rtp_port()
            old = [thread for thread in self._threads if thread.name == "rtp"]
        for thread in old:
            thread.join()

    def _close_rtp_port(self) -> None:
        if self._rtp_socket is not None:
            self._rtp_socket.wake()
            self._rtp_socket = None

    def _hang_up(self) -> None:
        """Make both threads end; each frees its own socket."""
        if self._connection is not None:
            self._connection.hang_up()
            self._connection = None
        self._close_rtp_port()

    def close(self) -> None:
        """End all threads and free all sockets. May be called twice."""
        while True:  # as long as they start others
            with self._changed:
                self._hang_up()
                # Out of the list, as two that close would else wait for each other.
                threads = [t for t in self._threads if t is not threading.current_thread()]
                self._threads = []
            if not threads:
                break
            for thread in threads:
                thread.join()
        with self._changed:
            self._reset_session()

    # ------------------------------------------------------------------ what the user can ask

    @property
    def serverAddr(self) -> str:
        """The server's name or address."""
        return self._source.host

    @property
    def serverPort(self) -> int:
        """The server's RTSP port."""
        return self._source.port

    @property
    def fileName(self) -> str:
        """The movie's file name or address, without a password."""
        return self._source.name

    @property
    def userName(self) -> str:
        """Who logs in; "" as long as nobody does."""
        return self._source.login.user

    @property
    def reception(self) -> Reception:
        """The reception of the current or last session, with its statistics."""
        return self._receiver.reception

    @property
    def duration(self) -> float | None:
        """The length of the movie in seconds, where the server says it."""
        return self._dialogue.duration

    @property
    def frameRate(self) -> float | None:
        """Frames a second of the movie, where the server says it."""
        position = self._dialogue.position
        return None if position is None else position.frame_rate

    @property
    def transportName(self) -> str:
        """How the media comes: UDP or TCP."""
        return self._dialogue.transport.lower

    @property
    def endpoints(self) -> Endpoints | None:
        """Who talks to whom in the current or last session; None before the first."""
        return None if self._ends is None else Endpoints(*self._ends, self.rtpPort)

    def positionOf(self, frame: Frame) -> float:
        """Return how far into the movie a frame is, in seconds.

        A lab server does not say where it is: there it is the time since the first frame.
        """
        position = self._dialogue.position
        return frame.media_time if position is None else position.of(frame)

    def isWaiting(self) -> bool:
        """Tell if a request is still unanswered, or the connection is still being made."""
        return self._command_lock.locked() or self._awaits_reply()

    def _awaits_reply(self) -> bool:
        return self._awaited.deadline is not None

    def waitFor(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, `timeout` seconds at the most; return if it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def another(self, master: Any, address: tuple[str, int, int, str]) -> Client:
        """A client for another host, port, RTP port and movie, that is set as this one is."""
        other = type(self)(master, *address, self._source.transport, self._source.trust)
        other.playout.latency = self.playout.latency
        other.impairment.conditions = self.impairment.conditions
        if self._capture is not None:
            other.captureTo(self._capture)
        return other

    def captureTo(self, capture: LiveCapture) -> None:
        """Have all that goes over the wire captured, here and of `another`. Before SETUP."""
        self._capture = capture
        self.observer = capture.observe(lambda: self.endpoints, self.observer)

    capture_to = captureTo


def _response_from_text(data: str | bytes) -> Response:
    """Read one lab reply that is known to be whole. Raises MessageError when it is none."""
    parser = ResponseParser(Dialect.LAB)
    parser.feed(data.encode() if isinstance(data, str) else data, 0.0)
    response = parser.rest()
    if response is None:
        raise MessageError("not an RTSP reply")
    return response
