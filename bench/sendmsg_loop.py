"""The floor under a live stream's cost: a bare loop of `sendmsg`, with enough RTSP to be asked.

    python sendmsg_loop.py MOVIE FPS

Each frame is cut once into RTP/JPEG packets of the size that our server makes, and goes to each
viewer by one `sendmsg`, which the kernel cuts into datagrams: nothing is counted, checked, logged
or locked. In Python, as our server is, so that the ratio tells what the server adds to its system
calls. Prints the stream's address.
"""

from __future__ import annotations

import re
import selectors
import socket
import struct
import sys
import time
from itertools import chain, cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rtplab.protocol.rtp.packet import pack_headers  # noqa: E402
from rtplab.protocol.rtp.rtpjpeg import packetize  # noqa: E402
from VideoStream import VideoStream  # noqa: E402

PAYLOAD = 1440  # bytes: what is left of 1,500 after IP, UDP and RTP
SSRC = 1
SOL_UDP, UDP_SEGMENT = 17, 103
SEND_BUFFER = 256 * 1024  # bytes
DESCRIPTION = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\n"


class Loop:
    """One thread: requests while it waits for the next frame, then the frame to everybody."""

    def __init__(self, movie: str, fps: float) -> None:
        frames = iter(VideoStream(movie).nextFrame, b"")
        self._frames = cycle([packetize(frame, PAYLOAD) for frame in frames])
        self._fps = fps
        self._sequence_number = 0
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._viewers: dict[socket.socket, socket.socket] = {}  # RTP by RTSP connection
        self._playing: list[socket.socket] = []

    def run(self) -> None:
        print(f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/live", flush=True)
        due = began = time.monotonic()
        while True:
            due += 1 / self._fps
            while (left := due - time.monotonic()) > 0:
                for key, _ in self._selector.select(left):
                    self._hear(key.fileobj)
            self._send_frame(round((due - began) * 90_000) & 0xFFFFFFFF)

    def _send_frame(self, timestamp: int) -> None:
        payloads = next(self._frames)
        count = len(payloads)
        headers = pack_headers(count, True, 26, self._sequence_number, timestamp, SSRC)
        self._sequence_number = (self._sequence_number + count) & 0xFFFF
        size = len(headers[0]) + len(payloads[0])
        pieces = [b"".join(chain.from_iterable(zip(headers, payloads, strict=True)))]
        segments = [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", size))]
        for viewer in self._playing:
            try:
                viewer.sendmsg(pieces, segments)
            except OSError:
                pass  # a full buffer, or a closed port

    def _hear(self, end: object) -> None:
        assert isinstance(end, socket.socket)
        if end is self._listener:
            connection, _ = end.accept()
            self._selector.register(connection, selectors.EVENT_READ)
            return
        try:
            request = end.recv(65_536).decode()
        except OSError:
            request = ""
        if request:
            end.sendall(self._answer(end, request).encode())
            return
        self._selector.unregister(end)
        viewer = self._viewers.pop(end, None)
        if viewer in self._playing:
            self._playing.remove(viewer)
        if viewer is not None:
            viewer.close()
        end.close()

    def _answer(self, connection: socket.socket, request: str) -> str:
        method = request.partition(" ")[0]
        number = re.search(r"CSeq: (\d+)", request)
        lines = ["RTSP/1.0 200 OK", f"CSeq: {number[1] if number else 0}", "Session: 1"]
        ports = re.search(r"client_port=(\d+)-\d+", request)
        if ports is not None:
            viewer = self._viewers[connection] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            viewer.setblocking(False)
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            viewer.bind(("127.0.0.1", 0))
            viewer.connect(("127.0.0.1", int(ports[1])))
            ours = viewer.getsockname()[1]
            lines.append(
                f"Transport: RTP/AVP;unicast;server_port={ours}-{ours + 1};ssrc={SSRC:08X}"
            )
        body = DESCRIPTION if method == "DESCRIBE" else ""
        if method == "PLAY":
            self._playing.append(self._viewers[connection])
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])


if __name__ == "__main__":
    Loop(sys.argv[1], float(sys.argv[2])).run()
