"""Every known class of attack on RTSP players by the server's words, tried on ours.

The source stands in a comment: a CVE where the class is known by one, else the rule that is broken.
What the player must do is say one sentence, and end or go on. test_known_attacks_media.py has the
attacks by RTP and pictures.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import standard_servers
from movies import MOVIE, frames_of
from processes import run_client
from raw_rtsp import HOST, LIMIT
from standard_servers import StandardServer, jpeg_payloads
from systems import end_listening
from wording import lacks

from Client import Client
from rtplab.receiving.rtsp.watch import TimeLimits

pytestmark = pytest.mark.long

COUNT = 3
CLIENT_LIMIT = 30.0


def described(number: int, description: str) -> bytes:
    """A reply with a session description."""
    body = description.encode()
    head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


# --- invalid answers -----------------------------------------------------------------------------


@contextmanager
def hostile_server(answer: Callable[[int, str], bytes]) -> Iterator[str]:
    """Run a server that answers request number n (from 1) as told; give its address."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    accepted.settimeout(LIMIT)
                    try:
                        number = 0
                        while accepted.recv(65536):
                            number += 1
                            accepted.sendall(answer(number, f"rtsp://{HOST}:{port}"))
                    except OSError:
                        pass  # the player has had enough

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"rtsp://{HOST}:{port}/movie.Mjpeg"
        end_listening(listener)
        thread.join()


ANSWERS: dict[str, Callable[[int, str], bytes]] = {
    # RFC 2326 section 11.2, CWE-835: a loop of redirections.
    "redirect loop": lambda number, base: (
        f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: {base}/movie.Mjpeg\r\n\r\n".encode()
    ),
    # CWE-601: away from RTSP.
    "redirect to a file": lambda number, base: (
        f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: file:///etc/passwd\r\n\r\n".encode()
    ),
    # CVE-2019-9928 (GStreamer): a response that does not fit.
    "no status": lambda number, base: b"RTSP/1.0\r\n\r\n",
    "status of letters": lambda number, base: b"RTSP/1.0 OK 200\r\n\r\n",
    # CVE-2008-0234 (QuickTime): a 404 with an overlong reason.
    "long reason": lambda number, base: (
        f"RTSP/1.0 404 {'A' * 12_000}\r\nCSeq: {number}\r\n\r\n".encode()
    ),
    # CWE-770: what has no end must not fill the memory.
    "million-byte line": lambda number, base: b"RTSP/1.0 200 " + b"A" * 1_000_000,
    "million bytes of nothing": lambda number, base: b"A" * 1_000_000,
    # As CVE-2019-7733 (live555), from the other end: lengths of bodies.
    "huge body": lambda number, base: (
        f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: 2000000000\r\n\r\n".encode()
    ),
    "negative body": lambda number, base: (
        f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: -1\r\n\r\n".encode()
    ),
    # RFC 8866 section 9: what is no session description.
    "nonsense for SDP": lambda number, base: (
        f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: 9\r\n\r\nv=\x00\nm=\n\n\n".encode()
    ),
    # CWE-150, CVE-2003-0020 (Apache): escape sequences for the terminal of whoever looks on.
    "escape sequences": lambda number, base: (
        f"RTSP/1.0 500 \x1b[2J\x07\r\nCSeq: {number}\r\n\r\n".encode()
    ),
    "escape sequences in the address": lambda number, base: (
        f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: \x1b[2J://\x07\r\n\r\n".encode()
    ),
    "escape sequences in the media": lambda number, base: described(
        number, "v=0\r\nm=\x1b[2J 0 RTP/AVP 96\r\na=rtpmap:96 \x1b]0;\x07\u202e/90000\r\n"
    ),
    "escape sequences in the challenge": lambda number, base: (
        f"RTSP/1.0 401 No\r\nCSeq: {number}\r\nWWW-Authenticate: \x1b[2J\r\n\r\n".encode()
    ),
    # CWE-833: whoever waits must not wait for ever.
    "a reply that never comes": lambda number, base: b"",
    # RFC 7616 section 3.3: a nonce that is too old whenever it is used.
    "401 for ever": lambda number, base: (
        f"RTSP/1.0 401 No\r\nCSeq: {number}\r\n"
        f'WWW-Authenticate: Digest realm="r", nonce="{number}", stale=true\r\n\r\n'.encode()
    ),
    # RFC 7617 section 4: Basic shows the password to all on the way.
    "Basic in the open": lambda number, base: (
        f'RTSP/1.0 401 No\r\nCSeq: {number}\r\nWWW-Authenticate: Basic realm="r"\r\n\r\n'.encode()
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_answers(name: str) -> None:
    with hostile_server(ANSWERS[name]) as address:
        mine = address.replace("rtsp://", "rtsp://ann:secret@")
        run = run_client(mine, "--headless", "--json", limit=CLIENT_LIMIT)
    assert (run.status, run.report["frames"]) == (1, 0)
    assert run.told.count("\n") == 1 and run.told.endswith(".\n"), run.stderr
    assert len(run.stderr) < 500 and "secret" not in run.stderr
    assert all(line.isprintable() for line in run.stderr.splitlines())


# --- answers with something strange in them ------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> list[list[bytes]]:
    return [jpeg_payloads(frame) for frame in frames_of(MOVIE)[:COUNT]]


def play(server: StandardServer, silence: float = 5.0) -> str:
    """Have a client play the movie; return what it complains of, "" if it has seen all."""
    failures: list[object] = []
    frames: list[object] = []
    hook, threading.excepthook = threading.excepthook, failures.append
    try:
        with server:
            client = Client(None, "", 0, 0, server.url, "tcp", limits=TimeLimits(silence=silence))
            client.on_frame = frames.append
            client.setupMovie()
            client.wait_for(lambda: client.state is not Client.INIT or bool(client.error), LIMIT)
            client.playMovie()
            client.wait_for(lambda: client.ended or bool(client.error), LIMIT)
            error = client.error
            client.exitClient()
    finally:
        threading.excepthook = hook
    assert not failures
    assert "Internal error" not in error
    assert len(frames) == (0 if error else COUNT)
    return error


class Numbers(StandardServer):
    """Answers each request with the right number after one with a wrong one."""

    number = ""

    def reply(self, viewer, request, status="200 OK", headers=(), body=""):
        viewer.send(f"RTSP/1.0 404 Gone\r\nCSeq: {self.number}\r\n\r\n".encode())
        super().reply(viewer, request, status, headers, body)


# RFC 2326 section 12.17: an answer to another request, to one that never was, or to none.
@pytest.mark.parametrize("number", ["0", "77", "-1", "x", "9" * 5000, "\u00b2"], ids=ascii)
def test_responses_with_wrong_cseq(pictures, number: str) -> None:
    server = Numbers(pictures)
    server.number = number
    assert play(server) == ""


# The same by a server that answers each request twice.
def test_responses_that_come_twice(pictures) -> None:
    class Twice(StandardServer):
        def reply(self, viewer, request, status="200 OK", headers=(), body=""):
            super().reply(viewer, request, status, headers, body)
            super().reply(viewer, request, status, headers, body)

    assert play(Twice(pictures)) == ""


# CWE-1284: numbers of thousands of digits, and what only looks like digits.
@pytest.mark.parametrize(
    "session", ["9" * 5000, "\u00b2", "\u0665", "-1", "1e999", "a\rb"], ids=ascii
)
def test_session_ids_that_look_like_numbers(pictures, session: str) -> None:
    server = StandardServer(pictures)
    server.session = session
    assert play(server) == ""


# CWE-1284: invalid numbers where the reply says to which part of the movie a frame belongs.
STRANGE = {
    "Scale": ["nan", "inf", "-inf", "1e308", "0", "-1", "1e-320"],
    "Range": ["npt=999999999-", "npt=nan-", "npt=-5--9", "clock=20260101T000000Z-", "npt="],
    "RTP-Info": ["", ",,,,", "url=;seq=99999999999;rtptime=99999999999", "url=x;rtptime=-1"],
}


@pytest.mark.parametrize("name", STRANGE)
def test_invalid_numbers_from_a_server(pictures, name: str) -> None:
    class Strange(StandardServer):
        def play_headers(self, viewer, request):
            kept = [h for h in super().play_headers(viewer, request) if not h.startswith(name)]
            return [*kept, f"{name}: {self.value}"]

    for value in STRANGE[name]:
        server = Strange(pictures)
        server.value = value
        assert play(server) == ""


# RFC 8866: an invalid rate, a duration without end.
def test_invalid_frame_rates(pictures) -> None:
    class Strange(StandardServer):
        def media_lines(self):
            return [*super().media_lines(), self.line]

    for line in ("a=framerate:" + "9" * 400, "a=framerate:1e308", "a=range:npt=0-99999999999"):
        server = Strange(pictures)
        server.line = line
        assert play(server) == ""


# CWE-400: whatever a server may pour out instead of a picture. The player says that none comes.
FLOODS = {
    "empty lines": b"\r\n" * 8000,
    "empty frames": b"$\0\0\0" * 4000,
    "frames on an unknown channel": b"$\7\xff\xff" + bytes(65_535),
    "replies that nobody asked for": b"RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n" * 200,
    "requests": b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 200,
    "invalid RTP": standard_servers.interleaved(0, b"x" * 1000) * 50,
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_instead_of_pictures(name: str) -> None:
    class Pours(StandardServer):
        def stream(self, viewer):
            while not viewer.stop.is_set():
                viewer.send(FLOODS[name])

    error = play(Pours(), silence=0.5)
    if name in ("empty frames", "invalid RTP"):
        assert error.startswith("Packets arrive, but") and "not RTP" in error
    else:
        assert not lacks(error, "No picture", "0.5 s") and "UDP" not in error
    assert ("channel 7" in error) == ("unknown channel" in name)


# CVE-2019-9928 (GStreamer): interleaved frames where a response is expected, cut off or empty.
def test_interleaved_frames_where_none_belong(pictures) -> None:
    class Mixes(StandardServer):
        def reply(self, viewer, request, status="200 OK", headers=(), body=""):
            viewer.send(standard_servers.interleaved(0, b"") + b"$\xff\0\4junk\r\n\r\n")
            super().reply(viewer, request, status, headers, body)

    assert play(Mixes(pictures)) == ""
