"""One client of the server, as the lab has it: its requests, its state, its movie.

A thread reads the client's requests (`recvRtspRequest`), and `processRtspRequest` obeys and
answers each. The methods of RTSP, such as `do_SETUP` and `do_PLAY`, are those of RtspWorker in
rtplab/serving/rtsp/worker.py. After PLAY the server's pacer calls `sendRtp` for every frame.
"""

from __future__ import annotations

import threading
from typing import Any

from rtplab.baresocket import BareSocket, is_bare
from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.messages import Form, Request, Response
from rtplab.protocol.rtsp.parser import split_lines
from rtplab.protocol.rtsp.states import State
from rtplab.serving.rtp.stream import CLOCK_RATE, MJPEG
from rtplab.serving.rtsp.service import Service
from rtplab.serving.rtsp.session import Session
from rtplab.serving.rtsp.worker import RtspWorker
from RtpPacket import RtpPacket
from VideoStream import VideoStream


class PlayEvent(threading.Event):
    """`clientInfo['event']`: set once sending has stopped; setting it stops the sending."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def set(self) -> None:
        super().set()
        self._session.delivery.stop()


class ServerWorker(RtspWorker):
    """One client's session. `clientInfo['rtspSocket']` is its (socket, address).

    The socket may be any object with `recv` and `send`. While there is a session, clientInfo has
    its 'session', 'videoStream' and 'rtpPort'; from PLAY on 'rtpSocket', 'event' and 'worker', the
    thread that sends.
    """

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

    state = INIT  # the lab's scripts read it on the class, too

    def __init__(self, clientInfo: dict[str, Any], service: Service | None = None) -> None:
        """Take over a client. Without a `service`, the current folder is served."""
        self.clientInfo = clientInfo
        rtspSocket, address = clientInfo["rtspSocket"]
        self._bare = BareSocket(rtspSocket) if is_bare(rtspSocket) else None
        self._rtpSocket: Any = None  # the last one that we have put into clientInfo
        super().__init__(self._bare or rtspSocket, address, service)

    def run(self) -> None:
        """Call `recvRtspRequest` in a thread of its own."""
        super().run()

    def recvRtspRequest(self) -> None:
        """Read requests, and process each, until the client hangs up or falls silent."""
        if self._bare is not None:
            self._bare.begin_to_receive()
        super().receive_requests()

    def processRtspRequest(self, data: Request | str | bytes) -> int:
        """Handle one request and answer it; return the status of the answer.

        Raises OSError when the answer can't be sent.
        """
        return super().process_request(
            data if isinstance(data, Request) else self._request_from_text(data)
        )

    def replyRtsp(self, code: int, seq: int | str) -> None:
        """Send a bare reply: OK_200, FILE_NOT_FOUND_404 or CON_ERR_500."""
        status = {self.OK_200: 200, self.FILE_NOT_FOUND_404: 404}.get(code, 500)
        self.reply(status, str(seq), str(self.clientInfo.get("session", "")))

    def do_PLAY(self, request: Request) -> Response:
        response = super().do_PLAY(request)
        session, event = self._session, self.clientInfo.get("event")
        if session is not None and (event is None or event.is_set()):
            self.clientInfo["event"] = PlayEvent(session)
            self.clientInfo["worker"] = self._service.pacer.thread
            sockets = getattr(session.delivery.stream.sink, "sockets", None)
            self._rtpSocket = self.clientInfo["rtpSocket"] = sockets[0] if sockets else None
        return response

    def do_PAUSE(self, request: Request) -> Response:
        response = super().do_PAUSE(request)
        self._set_event()
        return response

    def _set_event(self) -> None:
        event = self.clientInfo.get("event")
        if event is not None:
            event.set()

    def sendRtp(self) -> float | None:
        """Send the next frame; return when the one after it is due, None at the end.

        Times are seconds of `clock.steady`. The pacer calls this; for the first frame PLAY does.
        Without a session, what a script has put into clientInfo is used, as in the lab.
        """
        if self._session is None and self.clientInfo.get("rtpSocket") not in (
            None,
            self._rtpSocket,
        ):
            videoStream, rtpSocket = self.clientInfo["videoStream"], self.clientInfo["rtpSocket"]
            if frame := videoStream.nextFrame():
                address = self.clientInfo["rtspSocket"][1][0], int(self.clientInfo["rtpPort"])
                rtpSocket.sendto(self.makeRtp(frame, videoStream.frameNbr()), address)
            return None
        return super().send_next()

    def makeRtp(self, payload: bytes, frameNbr: int) -> bytes:
        """Return the RTP packet that carries one whole JPEG in the lab dialect."""
        packet = RtpPacket()
        video = self.clientInfo.get("videoStream")
        movie = video.movie if isinstance(video, VideoStream) else None
        timestamp = round((frameNbr - 1) * CLOCK_RATE / self._service.frame_rate(movie))
        marker = int(self._service.marker)
        packet.encode(2, 0, 0, 0, frameNbr, marker, MJPEG, 0, payload, timestamp)
        return packet.getPacket()

    def _request_from_text(self, data: str | bytes) -> Request:
        """Read one lab request that is known to be whole."""
        head = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        lines, eol = split_lines(head)
        form = Form(eol, head.endswith((b"\n\n", b"\n\r\n")))
        return lab.understand(lines, form, self._connection.forgiveness)

    # The worker calls its own names: each leads to the lab's, so that one that a script replaces
    # takes effect.

    def receive_requests(self) -> None:
        self.recvRtspRequest()

    def process_request(self, request: Request) -> int:
        return self.processRtspRequest(request)

    def send_next(self) -> float | None:
        return self.sendRtp()

    def client_known(self, address: tuple[str, int]) -> None:
        self.clientInfo["rtspSocket"] = (self.clientInfo["rtspSocket"][0], address)

    def session_changed(self, session: Session | None) -> None:
        """Keep in clientInfo what the lab keeps there, as long as there is a session."""
        self._set_event()
        for name in ("videoStream", "event", "rtpSocket"):  # they keep files open
            self.clientInfo.pop(name, None)
        if session is None:
            return
        cursor = session.delivery.cursor
        if cursor is not None:
            self.clientInfo["videoStream"] = VideoStream(cursor.movie.path, cursor)
        self.clientInfo["session"] = int(session.session_id)
        if session.transport.client_port:
            self.clientInfo["rtpPort"] = session.transport.client_port[0]
