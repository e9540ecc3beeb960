"""Every known class of attack on RTSP servers and players, tried on ours; one test each.

The source stands in a comment: a CVE where the class is known by one, else the rule that is broken.
After each attack on the server a stranger must be served as if nothing had happened. Attacks by
packets are tried where packets are tested: forged RTP in test_standard_client.py and
test_reception.py, RTP headers in test_rtp_packet.py, RTP/JPEG in test_jpegassembler.py, monstrous
pictures in test_decoding.py; RTSP on a TLS port in test_tls.py, connections that say nothing in
test_limits.py.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import ServerProcess, run_client
from raw_rtsp import HOST, LIMIT, Peer

from rtplab.protocol.rtsp import InterleavedFrame

MOVIE = "movie.Mjpeg"
INTERLEAVED = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
CLIENT_LIMIT = 30.0


@pytest.fixture(scope="module")
def server(small_movie: Path) -> Iterator[ServerProcess]:
    (small_movie.parent.parent / "secret.Mjpeg").write_bytes(small_movie.read_bytes())
    with ServerProcess(small_movie.parent, "--log-level", "debug", "--fps", "40") as server:
        yield server


@pytest.fixture
def peer(server: ServerProcess) -> Iterator[Peer]:
    with Peer(server.port) as peer:
        yield peer
    with Peer(server.port) as stranger:
        assert stranger.ask("DESCRIBE", uri(stranger)).status == 200
    assert "Traceback" not in server.errors()


def uri(peer: Peer, name: str = MOVIE) -> str:
    return f"{peer.base}/{name}"


def track(peer: Peer) -> str:
    return uri(peer) + "/trackID=0"


def set_up(peer: Peer, transport: str = INTERLEAVED) -> str:
    """Make a session; return the header that names it."""
    response = peer.ask("SETUP", track(peer), transport)
    assert response.status == 200
    return f"Session: {response.session}"


def say(peer: Peer, data: bytes) -> int | None:
    """Send any bytes; return the status of the answer, None when the server hangs up."""
    peer.socket.sendall(data)
    response = peer.answer()
    return None if response is None else response.status


# --- sessions and states -------------------------------------------------------------------------


# CVE-2026-41470 (live555): PLAY and TEARDOWN by a session id seen on another connection.
def test_session_id_replayed_from_another_connection(peer: Peer, server: ServerProcess) -> None:
    session = set_up(peer)
    with Peer(server.port) as thief:
        for method in ("PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER"):
            assert thief.ask(method, uri(thief), session).status == 454
        response = thief.ask("SETUP", track(thief), session, INTERLEAVED)
        assert response.status in (200, 454) and response.session not in session
    assert peer.ask("PLAY", uri(peer), session).status == 200


# CVE-2021-38381 and CVE-2021-38382 (live555): two SETUPs for one track.
def test_two_setups_for_one_track(peer: Peer) -> None:
    session = set_up(peer)
    assert peer.ask("SETUP", track(peer), INTERLEAVED).status == 455
    for _ in range(20):
        assert peer.ask("SETUP", track(peer), session, INTERLEAVED).status == 200
        assert peer.ask("PLAY", uri(peer), session).status == 200
        assert peer.ask("PLAY", uri(peer), session).status == 200
        assert peer.ask("PAUSE", uri(peer), session).status == 200


# RFC 2326 appendix A: methods in every wrong state.
def test_methods_in_every_wrong_state(peer: Peer) -> None:
    for method in ("PLAY", "PAUSE", "TEARDOWN"):
        assert peer.ask(method, uri(peer), "Session: 1").status == 454
    session = set_up(peer)
    assert peer.ask("PAUSE", uri(peer), session).status in (200, 455)
    assert peer.ask("PLAY", uri(peer), session).status == 200
    assert peer.ask("SETUP", track(peer), session, INTERLEAVED).status == 455
    assert peer.ask("TEARDOWN", uri(peer), session).status == 200
    assert peer.ask("PLAY", uri(peer), session).status == 454


# --- Transport -----------------------------------------------------------------------------------


# CWE-406 (amplification): a server that sends where it is told floods whoever is named.
@pytest.mark.parametrize("field", ["destination", "source", "DESTINATION", "dest_addr"])
def test_media_sent_to_somebody_else(peer: Peer, field: str) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine,
    ):
        mine.bind((HOST, 0))
        port = mine.getsockname()[1]
        try:
            victim.bind(("127.0.0.2", port))
        except OSError:
            pytest.skip("this system has one loopback address")
        named = f"{field}=127.0.0.2" + (f":{port}" if field == "dest_addr" else "")
        wanted = f"Transport: RTP/AVP;unicast;{named};client_port={port}-{port + 1}"
        session = set_up(peer, wanted)
        assert peer.ask("PLAY", uri(peer), session).status == 200
        mine.settimeout(LIMIT)
        assert mine.recv(65536)
        victim.settimeout(0.3)
        with pytest.raises(TimeoutError):
            victim.recv(65536)


# Services of the system live below port 1024; port 0 is none.
@pytest.mark.parametrize("ports", ["0", "0-1", "53-54", "1023-1024", "65536-65537", "-1", "1e4"])
def test_ports_that_are_not_a_clients(peer: Peer, ports: str) -> None:
    wanted = f"Transport: RTP/AVP;unicast;client_port={ports}"
    assert peer.ask("SETUP", track(peer), wanted).status in (400, 461)


# CVE-2002-1643 (Helix): a SETUP with an overlong Transport. And empty, malformed, repeated ones.
@pytest.mark.parametrize(
    "value",
    [
        "",
        ";",
        ",,,,",
        "RTP/AVP" + ";" * 8000,
        "RTP/AVP;unicast;client_port=" + "9" * 8000,
        ",".join(["RTP/AVP;unicast;client_port=5000"] * 400),
        "RTP/AVP;unicast;client_port=5000-5001-5002,",
        "RTP/AVP/TCP;interleaved=256-257",
        "RTP/AVP/TCP;interleaved=-1-0",
        "\x00\xff",
    ],
    ids=lambda value: f"{value[:12]!r} of {len(value)}",
)
def test_empty_and_malformed_transport(peer: Peer, value: str) -> None:
    assert peer.ask("SETUP", track(peer), f"Transport: {value}").status in (400, 461)


# --- heads and bodies ----------------------------------------------------------------------------


# CVE-2019-7733 (live555): a Content-Length that wraps. And negative, huge, then silence.
@pytest.mark.parametrize(
    "length", ["-1", "+5", "4294967297", "18446744073709551616", "1e3", "0x10", "5 5", "\u0665"]
)
def test_content_length_that_is_none(peer: Peer, length: str) -> None:
    response = peer.ask("GET_PARAMETER", uri(peer), f"Content-Length: {length}")
    assert response.status in (400, 413)
    assert peer.is_hung_up()


# A body where none belongs is read and ignored, not taken for the next request.
def test_a_body_where_none_belongs(peer: Peer) -> None:
    inner = b"TEARDOWN * RTSP/1.0\r\nCSeq: 9\r\n\r\n"
    head = f"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    assert say(peer, head + inner) == 200
    assert peer.ask("OPTIONS", "*").cseq == "1"


# CVE-2007-4561 (Helix): several Require headers.
def test_unknown_require(peer: Peer) -> None:
    headers = ["Require: " + "x" * 500] * 20
    response = peer.ask("SETUP", track(peer), INTERLEAVED, *headers)
    assert response.status == 551
    assert len(response.headers.get("Unsupported")) < 1000


# CVE-2004-0169 (Darwin Streaming Server): DESCRIBE with a long User-Agent.
def test_over_long_headers(peer: Peer) -> None:
    assert peer.ask("DESCRIBE", uri(peer), "User-Agent: " + "A" * 10_000).status == 200
    assert peer.ask("DESCRIBE", uri(peer), "B" * 10_000 + ": x").status == 200
    assert peer.ask("DESCRIBE", uri(peer), "Folded: a", "\tb" * 4000).status == 200


# The same without an end: memory must not grow with it.
@pytest.mark.parametrize("line", [b"x: y\r\n" * 10_000, b"A" * 1_000_000], ids=["headers", "line"])
def test_ten_thousand_headers_and_a_line_without_end(peer: Peer, line: bytes) -> None:
    try:
        peer.socket.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n" + line)
        response = peer.answer()
        assert response is None or response.status == 400
        assert peer.is_hung_up()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has hung up before all was said


# CVE-2013-6933 (live555): spaces before the method, and request lines that are too short.
@pytest.mark.parametrize(
    "line",
    ["  OPTIONS * RTSP/1.0", "A", "OPTIONS", "OPTIONS  RTSP/1.0", " \t ", "* * *", "\x00" * 9],
)
def test_request_lines_that_are_none(peer: Peer, line: str) -> None:
    status = say(peer, f"{line}\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n".encode())
    assert status in (200, 400, 404, 501)


# CVE-2009-2534 (Helix): SETUP of "/" and of nothing.
@pytest.mark.parametrize(
    "name",
    [
        "/",
        "rtsp://",
        "rtsp:///",
        "rtsp://@127.0.0.1",
        "rtsp://@/",
        "rtsp://:@:/",
        "//",
        "rtsp://[::1",
    ],
)
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP"])
def test_empty_paths_and_hosts(peer: Peer, method: str, name: str) -> None:
    assert peer.ask(method, name, INTERLEAVED).status in (400, 404)


# CWE-22: path traversal in every encoding.
@pytest.mark.parametrize(
    "name",
    [
        "../secret.Mjpeg",
        "..%2fsecret.Mjpeg",
        "%2e%2e/secret.Mjpeg",
        "%2e%2e%2fsecret.Mjpeg",
        "%252e%252e%252fsecret.Mjpeg",
        "..%5csecret.Mjpeg",
        "..\\secret.Mjpeg",
        "x/../../secret.Mjpeg",
        "%c0%ae%c0%ae/secret.Mjpeg",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "movie.Mjpeg%00.txt",
        "~root/secret.Mjpeg",
    ],
)
def test_path_traversal(peer: Peer, name: str) -> None:
    assert peer.ask("DESCRIBE", uri(peer, name)).status in (400, 404)


# CWE-117: log injection by CR, LF and the escape sequences of terminals.
def test_log_injection(peer: Peer, server: ServerProcess) -> None:
    for name in ("a%0d%0aFORGED", "a\x1b[2JFORGED", "a\rFORGED", "a\u2028FORGED", "a\x9bFORGED"):
        peer.ask("DESCRIBE", uri(peer, name))
        peer.ask("\x1b]0;FORGED", uri(peer))
    log = server.errors()
    assert "\x1b" not in log and "\x9b" not in log and "\u2028" not in log and "\r" not in log
    assert not [line for line in log.split("\n") if line.startswith("FORGED")]


# --- logging in ----------------------------------------------------------------------------------


# CVE-2019-9215 (live555), CVE-2020-6095 (gst-rtsp-server): malformed Authorization headers.
# CVE-2014-4880 (Hikvision): an overlong one.
@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Digest",
        "Digest ,,,,",
        'Digest username="',
        'Digest username="a", username="b", realm="r", nonce="n", uri="u", response="x"',
        "Basic " + "A" * 12_000,
        "Digest " + 'a="b",' * 2000,
    ],
    ids=lambda value: f"{value[:12]} of {len(value)}",
)
def test_malformed_and_overlong_authorization(small_movie: Path, value: str) -> None:
    with ServerProcess(small_movie.parent, "--user", "ann:secret") as server:
        with Peer(server.port) as peer:
            response = peer.ask("DESCRIBE", uri(peer), f"Authorization: {value}")
            assert response.status == 400
            assert peer.ask("DESCRIBE", uri(peer)).status == 401


# CWE-307: a flood of wrong passwords; test_logging_in.py shows that it delays nobody else.
def test_failed_digest_flood(small_movie: Path) -> None:
    wrong = 'Authorization: Digest username="a", realm="r", nonce="n", uri="u", response="x"'
    with ServerProcess(small_movie.parent, "--user", "ann:secret") as server:
        with Peer(server.port) as peer:
            started = time.monotonic()
            for _ in range(4):
                assert peer.ask("DESCRIBE", uri(peer), wrong).status == 401
            assert time.monotonic() - started >= 0.25 + 0.5 + 1 + 2


# --- interleaved frames --------------------------------------------------------------------------


# CVE-2019-7314 (live555): RTP over RTSP that ends or begins where it should not.
def test_interleaved_frames_where_none_belong(peer: Peer, server: ServerProcess) -> None:
    frames = b"$\x00\x00\x00" + b"$\xff\x00\x04junk" + b"$\x01\x00\x03abc"
    assert say(peer, frames + b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n") == 200
    session = set_up(peer)
    assert peer.ask("PLAY", uri(peer), session).status == 200
    peer.socket.sendall(frames * 10)
    assert peer.ask("PAUSE", uri(peer), session).status == 200
    middle = b"OPTIONS * RTSP/1.0\r\n$\x00\x00\x04junk\r\nCSeq: 7\r\n\r\n"
    assert say(peer, middle) in (200, 400)
    with Peer(server.port) as other:
        other.socket.sendall(b"$\x00\xff\xffcut off")


# --- the player ----------------------------------------------------------------------------------


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
        yield f"rtsp://{HOST}:{port}/{MOVIE}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


ANSWERS: dict[str, Callable[[int, str], bytes]] = {
    # A loop of redirections.
    "redirect loop": lambda number, base: (
        f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: {base}/{MOVIE}\r\n\r\n".encode()
    ),
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
    "million-byte line": lambda number, base: b"RTSP/1.0 200 " + b"A" * 1_000_000,
    "million bytes of nothing": lambda number, base: b"A" * 1_000_000,
    "huge body": lambda number, base: (
        f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: 2000000000\r\n\r\n".encode()
    ),
    "negative body": lambda number, base: (
        f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: -1\r\n\r\n".encode()
    ),
    "nonsense for SDP": lambda number, base: (
        f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: 9\r\n\r\nv=\x00\nm=\n\n\n".encode()
    ),
    "escape sequences": lambda number, base: (
        f"RTSP/1.0 500 \x1b[2J\x07\r\nCSeq: {number}\r\n\r\n".encode()
    ),
    "a reply that never comes": lambda number, base: b"",
    "401 for ever": lambda number, base: (
        f"RTSP/1.0 401 No\r\nCSeq: {number}\r\n"
        f'WWW-Authenticate: Digest realm="r", nonce="{number}", stale=true\r\n\r\n'.encode()
    ),
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
    assert run.stderr.count("\n") == 1 and run.stderr.endswith(".\n"), run.stderr
    assert len(run.stderr) < 500 and "\x1b" not in run.stderr and "secret" not in run.stderr


def test_a_flood_of_requests_in_one_piece(peer: Peer) -> None:
    """It is answered in order; test_limits.py shows that it delays nobody."""
    count = 120
    peer.socket.sendall(
        b"".join(b"OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n" % n for n in range(count))
    )
    for number in range(count):
        response = peer.message()
        assert not isinstance(response, InterleavedFrame) and response is not None
        assert response.cseq == str(number)
