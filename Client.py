"""The lab's client: its names, and with a `master` its window, on top of RtspClient.

What each step does is in rtplab/receiving/rtsp/client.py, which calls a method of the lab wherever
it takes that step: so a method that is overridden here, or on one client, has its effect.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from typing import Any

from rtplab.baresocket import SOCKET, BareSocket
from rtplab.clock import steady
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import Dialect, Response
from rtplab.protocol.rtsp.responseparser import ResponseParser
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.files.pcapng import Endpoint
from rtplab.receiving.rtp.rtpsocket import LARGEST_DATAGRAM, Clock
from rtplab.receiving.rtsp.client import RtspClient
from rtplab.receiving.rtsp.connection import ClientConnection
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.trust import TlsTrust
from rtplab.receiving.rtsp.watch import TimeLimits
from RtpPacket import RtpPacket

METHODS = ("SETUP", "PLAY", "PAUSE", "TEARDOWN")  # by the numbers of the lab
MAX_SESSION_DIGITS = 20  # longest session id that is treated as a number, as lab servers give them


PLAYER = (sys.executable, str(Path(__file__).with_name("ClientLauncher.py")))  # for a new window


class Client(RtspClient):
    """One session with one server. With a `master` it drives a Tk window; else none."""

    SETUP = 0
    PLAY = 1
    PAUSE = 2
    TEARDOWN = 3

    INIT = State.INIT
    READY = State.READY
    PLAYING = State.PLAYING

    state = INIT  # the lab's scripts read it on the class, too
    window: Any = None  # until createWidgets has built it, which a script may skip

    def __init__(
        self,
        master: Any,
        serveraddr: str,
        serverport: int | str,
        rtpport: int | str,
        filename: str,
        transport: str = "auto",
        trust: TlsTrust | None = None,
        limits: TimeLimits | None = None,
        clock: Clock = steady,
    ) -> None:
        """Connect to the server. If that fails, `error` says so and SETUP tries again.

        With a `master`, a Tk root or toplevel, the player is built in it. An rtsp:// address as
        `filename` goes before `serveraddr` and `serverport`; `transport` (auto, udp or tcp) is
        then the media transport (with rtsps:// always TCP), and `trust` says which certificates to
        accept. `limits` are time limits in seconds, measured by `clock`. Raises MessageError if
        the address is not valid.
        """
        source = MovieSource(serveraddr, int(serverport), filename, transport, trust)
        self.playEvent = threading.Event()  # set when PAUSE or TEARDOWN has been answered
        self._ownRtpSocket: Any = None  # set by a script, instead of ours
        super().__init__(source, int(rtpport), master is not None, limits, clock)
        self.master = master
        if master is not None:
            self.createWidgets()
        self._run(self.connectToServer)

    # ------------------------------------------------------------------ the window and its buttons

    def createWidgets(self) -> None:
        """Build the player in `master`."""
        from rtplab.player.window import PlayerWindow

        self.window = PlayerWindow(
            self.master, self, self._open_here, lambda: self.handler(), PLAYER
        )
        for name, button in self.window.controls.lab_row.buttons.items():
            setattr(self, name, button)

    def setupMovie(self) -> None:
        """Setup button: ask the server for the movie. Only in INIT."""
        super().set_up()

    def playMovie(self) -> None:
        """Play button: start the movie. Only in READY; in INIT, it sets `error`."""
        if not self._isTooEarly("play"):
            super().play_movie()

    def pauseMovie(self) -> None:
        """Pause button: pause the movie. Only in PLAYING; see `playMovie`."""
        if not self._isTooEarly("pause"):
            super().pause_movie()

    def _isTooEarly(self, what: str) -> bool:
        if self.state is not State.INIT or self.is_waiting():
            return False
        self.error = f"There is no movie to {what}: press Setup first."
        return True

    def exitClient(self) -> None:
        """Teardown button: end the session and free its resources. SETUP can begin another."""
        super().tear_down()

    def handler(self) -> None:
        """Handle a request to close the window: pause, and ask the user."""
        if self.window is None:
            self.pauseMovie()
        else:
            self.window.confirm_close()

    def writeFrame(self, data: bytes) -> bytes:
        """Keep a JPEG in memory for `updateMovie`; no file is written."""
        return data

    def updateMovie(self, imageFile: bytes) -> None:
        """Show a JPEG in the window now. Only in the thread that runs the window."""
        if self.window is not None:
            self.window.show(imageFile)

    # ------------------------------------------------------------------ RTSP

    def connectToServer(self) -> None:
        """Connect, unless connected; a failure sets `error`."""
        super().connect()

    def sendRtspRequest(self, requestCode: int) -> None:
        """Send SETUP, PLAY, PAUSE or TEARDOWN. The result shows in `state` or `error`."""
        rtspSocket = (
            None if self._workers.connection is None else self._workers.connection.own_socket
        )
        if requestCode == self.SETUP and isinstance(rtspSocket, BareSocket):
            rtspSocket.begin_to_receive(stays_open=True)
        super().send_request(METHODS[requestCode])

    def recvRtspReply(self) -> None:
        """Read replies until the connection ends. Runs in a thread of its own."""
        super().receive_replies()

    def parseRtspReply(self, data: Response | str | bytes) -> None:
        """Act on the server's reply to the last request. Raises MessageError if it is no reply."""
        super().take_reply(data if isinstance(data, Response) else _response_from_text(data))
        if self.state is State.PLAYING:
            self.playEvent.clear()
        elif self.requestSent in (self.PAUSE, self.TEARDOWN):
            self.playEvent.set()

    # ------------------------------------------------------------------ RTP

    def openRtpPort(self) -> None:
        """Open the RTP port and start to receive. Raises SessionError if that fails.

        If a script has replaced socket.socket, its socket is only opened, since it is not a real
        one: the script calls listenRtp itself.
        """
        if socket.socket is SOCKET:
            super().open_rtp_port()
            return
        self.rtpSocket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtpSocket.settimeout(0.5)
        self.rtpSocket.bind(("", self.rtpPort))

    def listenRtp(self) -> None:
        """Receive RTP until the port is closed. Runs in a thread of its own."""
        if self._ownRtpSocket is None:
            super().receive_rtp()
            return
        while data := self._ownRtpSocket.recv(LARGEST_DATAGRAM):
            packet = RtpPacket()
            packet.decode(data)
            if packet.seqNum() > self.frameNbr:
                self.frameNbr = packet.seqNum()
                self.updateMovie(self.writeFrame(packet.getPayload()))

    # ------------------------------------------------------------------ what the engine calls

    def set_up(self) -> None:
        """See setupMovie."""
        self.setupMovie()

    def play_movie(self) -> None:
        """See playMovie."""
        self.playMovie()

    def pause_movie(self) -> None:
        """See pauseMovie."""
        self.pauseMovie()

    def tear_down(self) -> None:
        """See exitClient."""
        self.exitClient()

    def connect(self) -> None:
        """See connectToServer."""
        self.connectToServer()

    def send_request(self, method: str) -> None:
        """See sendRtspRequest."""
        self.sendRtspRequest(METHODS.index(method))

    def receive_replies(self) -> None:
        """See recvRtspReply."""
        self.recvRtspReply()

    def take_reply(self, response: Response) -> None:
        """See parseRtspReply."""
        self.parseRtspReply(response)

    def open_rtp_port(self) -> None:
        """See openRtpPort."""
        self.openRtpPort()

    def receive_rtp(self) -> None:
        """See listenRtp."""
        self.listenRtp()

    # ------------------------------------------------------------------ the lab's attributes

    @property
    def serverAddr(self) -> str:
        """The server's name or address."""
        return self.server_host

    @property
    def serverPort(self) -> int:
        """The server's RTSP port."""
        return self.server_port

    @property
    def fileName(self) -> str:
        """The movie's file name or address, without a password."""
        return self.movie_name

    @property
    def rtspSocket(self) -> socket.socket | Any:
        """The connection's socket, or None if not connected. A script may set its own.

        That may be any object with `send`, and `recv` if it answers.
        """
        rtspSocket = (
            None if self._workers.connection is None else self._workers.connection.own_socket
        )
        return rtspSocket.bare if isinstance(rtspSocket, BareSocket) else rtspSocket

    @rtspSocket.setter
    def rtspSocket(self, rtspSocket: Any) -> None:
        connection = ClientConnection(
            self.server_host, self.server_port, Dialect.LAB, connected=rtspSocket, clock=self._clock
        )
        self._workers.hang_up()
        self._ends = Endpoint("", 0), Endpoint("", 0)
        self._workers.read_connection(connection, self.receive_replies)

    @property
    def rtpSocket(self) -> Any:
        """The socket of the RTP port, or None if it is closed. A script may set its own."""
        rtpSocket = self._workers.rtp_socket
        return self._ownRtpSocket or (None if rtpSocket is None else rtpSocket.own_socket)

    @rtpSocket.setter
    def rtpSocket(self, rtpSocket: Any) -> None:
        self._ownRtpSocket = rtpSocket

    @property
    def rtpPort(self) -> int:
        """Our RTP port."""
        return self.rtp_port

    @rtpPort.setter
    def rtpPort(self, port: int) -> None:
        self.rtp_port = port

    @property
    def frameNbr(self) -> int:
        """The number of the last frame."""
        return self.frame_number

    @frameNbr.setter
    def frameNbr(self, number: int) -> None:
        self.frame_number = number

    @property
    def rtspSeq(self) -> int:
        """The number of the last request on this connection."""
        connection = self._workers.connection
        return 0 if connection is None else connection.request_count

    @rtspSeq.setter
    def rtspSeq(self, number: int) -> None:
        if self._workers.connection is not None:
            self._workers.connection.request_count = number

    @property
    def sessionId(self) -> int | str:
        """The session id, as a number if the server gave one; 0 if there is no session."""
        session = "" if self._workers.connection is None else self._dialogue.session_id
        is_number = session.isascii() and session.isdigit() and len(session) <= MAX_SESSION_DIGITS
        return int(session) if is_number else session or 0

    @sessionId.setter
    def sessionId(self, session: int | str) -> None:
        self._dialogue.session_id = str(session or "")

    @property
    def requestSent(self) -> int:
        """The last request, by its number; -1 before the first."""
        return METHODS.index(self._method) if self._method else -1

    @requestSent.setter
    def requestSent(self, requestCode: int) -> None:
        self._method = METHODS[requestCode] if requestCode >= 0 else ""

    @property
    def teardownAcked(self) -> int:
        """Until the next SETUP, 1 when TEARDOWN has been answered."""
        return int(self._torn_down)

    @teardownAcked.setter
    def teardownAcked(self, acknowledged: int) -> None:
        self._torn_down = bool(acknowledged)

    def _open_here(self, address: Any) -> Any:
        """Return the window of a new client for another address, with the same settings."""
        movie = address.url or address.movie
        other = type(self)(
            self.master,
            address.host,
            address.port,
            address.rtp_port,
            movie,
            self._source.transport,
            self._source.trust,
        )
        return other.window


def _response_from_text(data: str | bytes) -> Response:
    """Read one complete lab reply. Raises MessageError if it is not a reply."""
    parser = ResponseParser(Dialect.LAB)
    parser.feed(data.encode() if isinstance(data, str) else data, 0.0)
    response = parser.rest()
    if response is None:
        raise MessageError("not an RTSP reply")
    return response
