"""Every known class of attack on RTSP servers, tried on ours; one test each, named after it.

The source stands in a comment: a CVE or an issue where the class is known by one, else the rule
that is broken. After each attack a stranger must be served as if nothing had happened.
Attacks by sheer numbers are in test_known_attacks_floods.py; test_known_attacks_client.py and
test_known_attacks_media.py turn on the player.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import make_certificate
from processes import ServerProcess
from raw_rtsp import HOST, LIMIT, Peer
from wording import lacks

MOVIE = "movie.Mjpeg"
INTERLEAVED = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
HEAD = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n"
FLOOD_TIME = 1.0
"""Seconds that a flood lasts."""


@pytest.fixture(scope="module")
def server(small_movie: Path) -> Iterator[ServerProcess]:
    """A server that gives up slow requests after a second, and says all that happens."""
    (small_movie.parent.parent / "secret.Mjpeg").write_bytes(small_movie.read_bytes())
    options = ("--log-level", "debug", "--fps", "40", "--limit", "request-timeout=1")
    with ServerProcess(small_movie.parent, *options) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(small_movie: Path) -> Iterator[ServerProcess]:
    """A server that lets in one user."""
    with ServerProcess(small_movie.parent, "--user", "ann:secret") as server:
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


# CWE-340: ids that can be foretold from those before.
def test_session_ids_that_can_be_guessed(server: ServerProcess) -> None:
    ids = []
    for _ in range(20):
        with Peer(server.port) as peer:
            ids.append(int(set_up(peer).removeprefix("Session: ")))
    steps = [second - first for first, second in zip(ids, ids[1:], strict=False)]
    assert len(set(ids)) == len(set(steps) | {0}) == 20
    assert max(ids) > 2**27 and all(0 < number < 2**31 for number in ids)


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
        for _ in range(3):
            assert mine.recv(65536)
        victim.setblocking(False)
        with pytest.raises(BlockingIOError):
            victim.recv(65536)


# The same in the lab dialect, and by the host in the address.
@pytest.mark.parametrize(
    "transport",
    [
        "RTP/UDP; destination=127.0.0.2; client_port= {}",
        "RTP/UDP; source=127.0.0.2; client_port= {}",
        "RTP/UDP; client_port= {}; destination=127.0.0.2",
    ],
)
@pytest.mark.parametrize("base", ["", "rtsp://127.0.0.2/"])
def test_media_of_the_lab_sent_to_somebody_else(peer: Peer, transport: str, base: str) -> None:
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
        wanted = f"SETUP {base}{MOVIE} RTSP/1.0\nCSeq: 1\nTransport: {transport.format(port)}\n\n"
        peer.socket.sendall(wanted.encode())
        found = re.fullmatch(
            rb"RTSP/1.0 200 OK\nCSeq: 1\nSession: (\d+)\n\n", peer.socket.recv(1024)
        )
        assert found
        peer.socket.sendall(
            b"PLAY %s RTSP/1.0\nCSeq: 2\nSession: %s\n\n" % (MOVIE.encode(), found[1])
        )
        mine.settimeout(LIMIT)
        for _ in range(3):
            assert mine.recv(65536)
        victim.setblocking(False)
        with pytest.raises(BlockingIOError):
            victim.recv(65536)


# Issue 66 of rgaufman/live555: a SETUP for port 0 leaves a session that nobody ends. Below port
# 1024 live services of the system, which answer what they do not understand.
NO_PORTS = ["0", "0-1", "0-0", "53-54", "80", "1023-1024", "1024-1023", "65536-65537", "-1", "1e4"]


@pytest.mark.parametrize("ports", NO_PORTS)
def test_port_0_and_ports_of_the_system_in_transport(peer: Peer, ports: str) -> None:
    wanted = f"Transport: RTP/AVP;unicast;client_port={ports}"
    assert peer.ask("SETUP", track(peer), wanted).status in (400, 461)


@pytest.mark.parametrize("port", ["0", "80", "1023", "65536", "99999999999", "-1", "1e4"])
def test_port_0_and_ports_of_the_system_in_the_lab_dialect(peer: Peer, port: str) -> None:
    request = f"SETUP {MOVIE} RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= {port}\n\n"
    peer.socket.sendall(request.encode())
    assert re.match(rb"RTSP/1.0 (400|461) ", peer.socket.recv(1024))


# RFC 2326 section 12.39: a pair, and no list.
@pytest.mark.parametrize("ports", ["5000-5001-5002", "5000,5002", "5000 5001", "5000-", "5000;x=,"])
def test_port_lists_in_transport(peer: Peer, ports: str) -> None:
    response = peer.ask("SETUP", track(peer), f"Transport: RTP/AVP;unicast;client_port={ports}")
    if response.status == 200:  # the first that makes sense may be taken, and nothing else
        assert "client_port=5000-5001;" in response.headers.get("Transport")
    else:
        assert response.status in (400, 461)


# RFC 2326 section 12.39: group and range of a multicast are the server's to choose.
def test_multicast_to_where_a_client_says(small_movie: Path) -> None:
    with ServerProcess(small_movie.parent, "--multicast", "239.1.2.3:5004") as server:
        for wanted in (
            "destination=239.9.9.9;port=6000-6001;ttl=255",
            "destination=127.0.0.2;client_port=7000-7001",
            "port=53-54",
        ):
            with Peer(server.port) as peer:
                response = peer.ask("SETUP", track(peer), f"Transport: RTP/AVP;multicast;{wanted}")
                chosen = response.headers.get("Transport")
                own = "RTP/AVP;multicast;destination=239.1.2.3;port=5004-5005;ttl=1;"
                assert response.status == 400 or chosen.startswith(own)


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
def test_invalid_content_length(peer: Peer, length: str) -> None:
    response = peer.ask("GET_PARAMETER", uri(peer), f"Content-Length: {length}")
    assert response.status in (400, 413)
    assert peer.is_hung_up()


# The same with a length that is right, and then silence: the thread must not wait for ever.
def test_content_length_and_then_silence(peer: Peer) -> None:
    peer.socket.sendall(HEAD + b"Content-Length: 60000\r\n\r\n")
    response = peer.answer()
    assert response is not None and response.status == 408
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


# The same with the name instead of the value.
def test_over_long_header_names(peer: Peer) -> None:
    assert peer.ask("DESCRIBE", uri(peer), "B" * 10_000 + ": x").status == 200


# RFC 2326 section 4.2: a line may go on in the next, which must make no header of its own.
def test_folded_lines(peer: Peer) -> None:
    assert peer.ask("DESCRIBE", uri(peer), "Folded: a", "\tb" * 4000).status == 200
    assert peer.ask("OPTIONS", "*", "X: a", " Require: b", "\tContent-Length: 9").status == 200
    assert peer.ask("DESCRIBE", uri(peer), *["X: a", " b"] * 40).status == 200


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
def test_invalid_request_lines(peer: Peer, line: str) -> None:
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


# CWE-113: a carriage return in the address, which stands in the reply again.
@pytest.mark.parametrize("name", ["mov\rie.Mjpeg", "movie.Mjpeg/\rX: 1", "movie\x0b.Mjpeg", "\x7f"])
def test_control_characters_in_addresses(peer: Peer, name: str) -> None:
    for method in ("DESCRIBE", "SETUP"):
        assert peer.ask(method, uri(peer, name), INTERLEAVED).status in (400, 404)


# CWE-117, CVE-2003-0020 (Apache): a log that repeats line ends, and the escape sequences of
# terminals. Wherever a peer's words may get into it.
EVIL = "\x1b[2J|\r|\x9b|\u2028|\u202e|\x00|\x7f|\t|\udcff".split("|")
FORGED = "2026-01-01 INFO FORGED"


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_log_injection(server: ServerProcess, evil: str) -> None:
    word = f"a{evil}{FORGED}"
    with Peer(server.port) as peer:
        session = set_up(peer)
        requests = [
            ("DESCRIBE", uri(peer, word), ""),
            ("DESCRIBE", uri(peer, f"a%0d%0a{FORGED}"), ""),
            ("DESCRIBE", f"rtsp://{word}:{word}@{HOST}/{MOVIE}", ""),
            (word, uri(peer), ""),
            ("OPTIONS", "*", f"User-Agent: {word}"),
            ("OPTIONS", "*", f"{word}: {word}"),
            ("OPTIONS", "*", f"Require: {word}"),
            ("DESCRIBE", uri(peer), f"Accept: {word}"),
            ("PLAY", uri(peer), f"Session: {word}"),
            ("PLAY", uri(peer), f"{session}\r\nRange: {word}"),
            ("PLAY", uri(peer), f"{session}\r\nScale: {word}"),
            ("SETUP", track(peer), f"{session}\r\nTransport: {word}"),
            ("SETUP", track(peer), f"{session}\r\nTransport: RTP/AVP;client_port={word}"),
        ]
        for method, address, header in requests:
            peer.send(method, address, *[header] * bool(header))
            assert peer.answer() is not None
    lab = f"SETUP {word} RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000\n\n"
    for data in (lab, f"{word}\n\n", f"OPTIONS * {word}\r\nCSeq: 1\r\n\r\n", word):
        with Peer(server.port) as peer:
            peer.socket.sendall(data.encode("utf-8", "surrogateescape"))
            peer.socket.shutdown(socket.SHUT_WR)
            while peer.socket.recv(65536):
                pass
    lines = server.errors().split("\n")
    assert any("FORGED" in line for line in lines)
    assert all(line.isprintable() and not line.startswith(FORGED) for line in lines)


# The same by the names of files, which somebody else may have put into the folder.
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_log_injection_by_file_names(tmp_path: Path, small_movie: Path) -> None:
    for number, evil in enumerate(("\x1b[2J", "\n", "\r", "\u202e")):
        (tmp_path / f"a{number}{evil}{FORGED}.mjpeg").write_bytes(small_movie.read_bytes())
        (tmp_path / f"b{number}{evil}{FORGED}.mjpeg").write_bytes(b"no movie")
    with ServerProcess(tmp_path) as server, Peer(server.port) as peer:
        for name in os.listdir(tmp_path):
            quoted = "".join(f"%{byte:02x}" for byte in name.encode())
            assert peer.ask("DESCRIBE", uri(peer, quoted)).status in (200, 415)
        lines = (server.output() + server.errors()).split("\n")
    assert sum("FORGED" in line for line in lines) >= 12  # listed, and half of them refused
    assert all(line.isprintable() and not line.startswith(FORGED) for line in lines)


# --- logging in ----------------------------------------------------------------------------------


def refused(server: ServerProcess, value: str) -> None:
    with Peer(server.port) as peer:
        assert peer.ask("DESCRIBE", uri(peer), f"Authorization: {value}").status == 401
        assert peer.ask("DESCRIBE", uri(peer)).status == 401
    assert "Traceback" not in server.errors()


# CVE-2019-9215 (live555), CVE-2020-6095 (gst-rtsp-server): malformed Authorization headers.
@pytest.mark.parametrize(
    "value",
    ["", "Basic", "Basic ====", "Digest", "Digest ,,,,", 'Digest username="', "Digest \xff"],
)
def test_malformed_authorization(guarded: ServerProcess, value: str) -> None:
    refused(guarded, value)


# CVE-2014-4880 (Hikvision): an overlong Authorization header.
@pytest.mark.parametrize(
    "value",
    ["Basic " + "A" * 12_000, "Digest " + 'a="b",' * 2000, 'Digest username="' + "a" * 9000 + '"'],
    ids=len,
)
def test_overlong_authorization(guarded: ServerProcess, value: str) -> None:
    refused(guarded, value)


# RFC 9110 section 11.2: no field may occur twice, because two programs could read it differently.
@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response", "nc", "qop"])
def test_repeated_fields_in_digest(guarded: ServerProcess, name: str) -> None:
    fields = 'username="a", realm="r", nonce="n", uri="u", response="x", qop=auth, nc=1, cnonce="c"'
    refused(guarded, f'Digest {fields}, {name}="other"')


# --- TLS -----------------------------------------------------------------------------------------


# RFC 8446 section 5.1: a TLS record and an RTSP request begin with different bytes.
def test_rtsp_to_the_tls_port_and_tls_to_the_rtsp_port(
    small_movie: Path, tmp_path: Path, server: ServerProcess
) -> None:
    certificate = make_certificate(tmp_path)
    with ServerProcess(small_movie.parent, "--tls", *map(str, certificate)) as private:
        with Peer(private.port) as plain:
            response = plain.ask("DESCRIBE", uri(plain))
            assert response.status == 400 and not lacks(response.reason, "TLS", "rtsps")
            assert plain.is_hung_up()
        trusting = ssl.create_default_context(cafile=str(certificate.certificate))
        with Peer(private.port, trusting) as peer:
            assert peer.ask("OPTIONS", "*").status == 200
        with pytest.raises(OSError):
            Peer(server.port, trusting)
    with Peer(server.port) as hello:
        hello.socket.sendall(b"\x16\x03\x01\x02\x00\x01" + bytes(512))
        told = hello.socket.recv(100)
        assert told.startswith(b"RTSP/1.0 400 This Port Does Not Use TLS: Use rtsp\r\n")


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


# --- the table of classes ------------------------------------------------------------------------


def test_security_tells_which_tests_there_are() -> None:
    here = Path(__file__)
    text = (here.parent.parent / "docs" / "SECURITY.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(test_\w+)`", text)) - {here.stem}
    files = here.parent.glob("test_known_attacks_*.py")
    tests = {
        name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }
    assert told == tests - {"test_security_tells_which_tests_there_are"}
