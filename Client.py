"""The RTSP/RTP client: it asks a server for a movie, receives it, and hands its frames on.

Two threads work for it: one reads the server's replies (`recvRtspReply`), one receives RTP
(`listenRtp`). With a `master` it drives a Tk window, which fetches frames and state from here;
without one it runs alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rtplab.protocol.errors import MessageError, SessionError
from rtplab.protocol.parser import ResponseParser
from rtplab.protocol.rtsp import REASONS, Dialect, Response, printable
from rtplab.protocol.states import State, transition
from rtplab.receiving.connection import ClientConnection
from rtplab.receiving.dialogue import LabDialogue
from rtplab.receiving.frames import Frame, LabAssembler
from rtplab.receiving.playout import PlayoutBuffer
from rtplab.receiving.reception import Reception
from rtplab.receiving.rtpsocket import RtpSocket

REPLY_TIMEOUT = 5.0  # seconds that a server may take to answer a request
TEARDOWN_TIMEOUT = 1.0  # seconds that a server may take to answer TEARDOWN: then we go anyway
# Seconds without a packet while playing after which the user is told.
SILENCE_TIMEOUT = 5.0

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

    def __init__(
        self, master: Any, serveraddr: str, serverport: int | str, rtpport: int | str, filename: str
    ) -> None:
        """Connect to the server; when that fails, `error` says so and SETUP tries again.

        With a `master`, a Tk root or toplevel, the player is built in it.
        """
        self.master = master
        self.serverAddr = serveraddr
        self.serverPort = int(serverport)
        self.rtpPort = int(rtpport)
        self.fileName = filename
        self.error = ""
        self.notice = ""
        self.onFrame: Callable[[Frame], None] | None = None
        self.playout = PlayoutBuffer()
        self.reception = Reception(LabAssembler())
        self._dialogue = LabDialogue(filename)

        # Guards what follows, and is notified of every reply, failure and frame: the user's
        # thread, the reply thread and the RTP thread use it.
        self._changed = threading.Condition(threading.RLock())
        self._connection: ClientConnection | None = None
        self._rtp_socket: RtpSocket | None = None
        self._threads: list[threading.Thread] = []
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
        self.teardownAcked = 0
        self.frameNbr = 0
        self.firstFrameDelay: float | None = None  # seconds from PLAY to the first frame
        self._played_at = 0.0
        self._reply_deadline: float | None = None
        self._unanswered: set[int] = set()  # numbers of requests that we gave up waiting for

    # ------------------------------------------------------------------ the user's commands

    def createWidgets(self) -> None:
        """Build the player in `master`."""
        from rtplab.player.window import PlayerWindow

        self.window = PlayerWindow(self.master, self)

    def setupMovie(self) -> None:
        """Ask the server for the movie; connect first where needed. Only in INIT."""
        if self.state is State.INIT and not self.isWaiting():
            self._run(self._connect_and_set_up)

    def playMovie(self) -> None:
        """Have the movie sent. Only in READY."""
        if self.state is State.READY and not self.isWaiting():
            self.sendRtspRequest(self.PLAY)

    def pauseMovie(self) -> None:
        """Have the sending stopped for now. Only in PLAYING."""
        if self.state is State.PLAYING and not self.isWaiting():
            self.sendRtspRequest(self.PAUSE)

    def exitClient(self) -> None:
        """Tear the session down and free all that it used. SETUP can begin another."""
        self._run(self._tear_down)

    def handler(self) -> None:
        """The window is to be closed: pause, and ask."""
        self.window.confirm_close()

    def isWaiting(self) -> bool:
        """Tell if a request is still unanswered."""
        return self._reply_deadline is not None

    def waitFor(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, `timeout` seconds at the most; return if it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def close(self) -> None:
        """End all threads and free both sockets. May be called twice."""
        while True:
            with self._changed:
                self._hang_up()
                threads = [t for t in self._threads if t is not threading.current_thread()]
                self._threads = []
            if not threads:
                break
            for thread in threads:
                thread.join()
        with self._changed:
            self._reset_session()

    def _run(self, command: Callable[[], None]) -> None:
        """Run a command that may block: beside a window, which must not wait, else here."""
        if self.master is None:
            command()
        else:
            self._start(command, "command")

    def _start(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name)
        with self._changed:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
            thread.start()

    # ------------------------------------------------------------------ RTSP

    def connectToServer(self) -> None:
        """Connect, unless connected; a failure is told in `error`."""
        with self._command_lock:
            self._connect()

    def _connect(self) -> None:
        if self._connection is not None:
            return
        try:
            connection = ClientConnection(self.serverAddr, self.serverPort, self._dialogue.dialect)
        except SessionError as error:
            self._fail(error)
            return
        with self._changed:
            self._connection = connection
            self._start(self.recvRtspReply, "rtsp")

    def _connect_and_set_up(self) -> None:
        with self._command_lock:
            self._connect()
            if self._connection is None or self.state is not State.INIT:
                return
            try:
                self.openRtpPort()
            except SessionError as error:
                self._fail(error)
                return
            self.sendRtspRequest(self.SETUP)

    def _tear_down(self) -> None:
        with self._command_lock:
            if self.state is not State.INIT:
                self.sendRtspRequest(self.TEARDOWN)
                self.waitFor(lambda: not self.isWaiting(), TEARDOWN_TIMEOUT)
        self.close()

    def sendRtspRequest(self, requestCode: int) -> None:
        """Send SETUP, PLAY, PAUSE or TEARDOWN; what comes of it shows in `state` or `error`."""
        with self._changed:
            if self._connection is None:
                self._fail(SessionError("There is no connection to a server: press Setup."))
                return
            self.rtspSeq += 1
            self.requestSent = requestCode
            if requestCode == self.SETUP:
                request = self._dialogue.setup(self.rtspSeq, self.rtpPort)
            else:
                method = METHODS[requestCode]
                request = self._dialogue.control(method, self.rtspSeq, str(self.sessionId))
            if requestCode == self.PLAY:
                self._played_at, self.firstFrameDelay = time.monotonic(), None
            self._reply_deadline = time.monotonic() + REPLY_TIMEOUT
            try:
                self._connection.send(request.serialise())
            except OSError as error:
                self._lose(SessionError(f"The server is gone ({error.strerror}): press Setup."))

    def recvRtspReply(self) -> None:
        """Read replies until the connection ends. Runs in a thread of its own."""
        connection = self._connection
        assert connection is not None
        try:
            while True:
                message = connection.receive(self._next_deadline())
                if isinstance(message, Response):
                    self.parseRtspReply(message)
                else:
                    self._look_at_clock(time.monotonic())
        except SessionError as error:
            if self._connection is connection:
                self._lose(error)
        finally:
            connection.close()

    def parseRtspReply(self, data: Response | str | bytes) -> None:
        """Act on the server's reply to the last request."""
        response = data if isinstance(data, Response) else _response_from_text(data)
        with self._changed:
            if self._reply_deadline is None or self._is_stale(response):
                return
            self._reply_deadline = None
            method = METHODS[self.requestSent]
            if response.status == 200:
                self._succeed(method, response)
            else:
                self._fail(_refusal(method, response, self.fileName))
            self._changed.notify_all()

    def _succeed(self, method: str, response: Response) -> None:
        self.error = self.notice = ""
        self.state = transition(self.state, method)
        if method == "SETUP":
            session = response.session
            self.sessionId = int(session) if session.isascii() and session.isdigit() else session
        elif method == "PAUSE":
            self.reception.paused()
        elif method == "TEARDOWN":
            self.teardownAcked = 1

    def _is_stale(self, response: Response) -> bool:
        """Tell if this answers a request that we gave up waiting for.

        Apart from that the order counts: there are lab servers that send any number as CSeq.
        """
        number = response.cseq.strip()
        return number.isdigit() and int(number) in self._unanswered

    def _next_deadline(self) -> float | None:
        """When the reply thread has to look at the clock."""
        if self._reply_deadline is not None:
            return self._reply_deadline
        if self.state is State.PLAYING and not (self.notice or self.error):
            return self._last_sign() + SILENCE_TIMEOUT
        return None

    def _look_at_clock(self, now: float) -> None:
        with self._changed:
            if self._reply_deadline is not None and now >= self._reply_deadline:
                self._give_up_waiting()
            elif self.state is State.PLAYING and now >= self._last_sign() + SILENCE_TIMEOUT:
                self._tell_silence()

    def _give_up_waiting(self) -> None:
        self._reply_deadline = None
        self._unanswered.add(self.rtspSeq)
        self._fail(
            SessionError(
                f"The server has not answered {METHODS[self.requestSent]} within "
                f"{REPLY_TIMEOUT:g} s: try again, or tear down and set up anew."
            )
        )

    def _last_sign(self) -> float:
        return max(self._played_at, self.reception.statistics.last_arrival or 0.0)

    def _tell_silence(self) -> None:
        if self.firstFrameDelay is None:
            self._fail(
                SessionError(
                    f"No picture has come within {SILENCE_TIMEOUT:g} s of PLAY: the server may not "
                    f"have {self.fileName}, or a firewall blocks UDP port {self.rtpPort}."
                )
            )
        else:
            self.notice = (
                f"No packet for {SILENCE_TIMEOUT:g} s: the movie has ended, or the server has "
                "stopped sending."
            )
            self._changed.notify_all()

    def _fail(self, error: SessionError) -> None:
        with self._changed:
            self.error = str(error)
            self._changed.notify_all()

    def _lose(self, error: SessionError) -> None:
        """The connection is no more: the session is over, and SETUP can begin another."""
        with self._changed:
            torn_down = self.teardownAcked or self.requestSent == self.TEARDOWN
            self._hang_up()
            self._reset_session()
            if not torn_down:
                self._fail(error)
            self._changed.notify_all()

    def _hang_up(self) -> None:
        """Make both threads end; each frees its own socket."""
        if self._connection is not None:
            self._connection.hang_up()
            self._connection = None
        if self._rtp_socket is not None:
            self._rtp_socket.wake()
            self._rtp_socket = None

    # ------------------------------------------------------------------ RTP

    def openRtpPort(self) -> None:
        """Open the RTP port and start to receive. Raises SessionError when it is not free."""
        with self._changed:
            if self._rtp_socket is None and self._connection is not None:
                self._rtp_socket = RtpSocket(self.rtpPort, self._connection.server_host)
                self.rtpPort = self._rtp_socket.port
                self.reception = Reception(LabAssembler())
                self.playout.clear()
                self._start(self.listenRtp, "rtp")

    def listenRtp(self) -> None:
        """Receive RTP until the port is closed. Runs in a thread of its own."""
        rtp_socket, reception = self._rtp_socket, self.reception
        assert rtp_socket is not None
        try:
            while (datagrams := rtp_socket.receive(reception.deadline())) is not None:
                now = time.monotonic()
                for datagram in datagrams:
                    self._deliver(reception.receive(datagram, now), now)
                self._deliver(reception.release(now), now)
        finally:
            rtp_socket.close()

    def _deliver(self, frames: list[Frame], now: float) -> None:
        """Hand frames on to the window, or to whoever asked for them."""
        for frame in frames:
            self.playout.put(frame)
            if self.onFrame is not None:
                self.onFrame(frame)
            with self._changed:
                self.frameNbr = frame.number
                self.notice = ""
                if self.firstFrameDelay is None:
                    self.firstFrameDelay = now - self._played_at
                    self.error = ""
                self._changed.notify_all()

    def writeFrame(self, data: bytes) -> bytes:
        """Keep a JPEG in memory for `updateMovie`; no file is written."""
        return data

    def updateMovie(self, imageFile: bytes) -> None:
        """Show a JPEG in the window now. Only in the thread that runs the window."""
        if self.master is not None:
            self.window.show(imageFile)


def _refusal(method: str, response: Response, filename: str) -> SessionError:
    """Say why the server did not do what it was asked."""
    if response.status == 404:
        return SessionError(f"The server has no movie named {filename}: check the name.")
    reason = printable(response.reason, 60) or REASONS.get(response.status, "")
    return SessionError(f"The server refused {method}: {response.status} {reason}.")


def _response_from_text(data: str | bytes) -> Response:
    """Read one lab reply that is known to be whole. Raises MessageError when it is none."""
    parser = ResponseParser(Dialect.LAB)
    parser.feed(data.encode() if isinstance(data, str) else data, 0.0)
    response = parser.rest()
    if response is None:
        raise MessageError("not an RTSP reply")
    return response
