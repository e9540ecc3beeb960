"""RTSP inside TLS: server and client together, and each with a peer that speaks something else."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import Certificate, make_certificate
from hypothesis import given
from hypothesis import strategies as st
from processes import ServerProcess, run_client
from raw_rtsp import HOST, LIMIT, Peer, running_server
from systems import end_listening
from wording import lacks

from rtplab.protocol.rtsp.auth import BasicCredentials
from rtplab.protocol.rtsp.messages import InterleavedFrame
from rtplab.protocol.tls import TlsChannel
from rtplab.serving.admission.access import UserDatabase
from rtplab.serving.admission.limits import Limits
from rtplab.serving.rtsp import connection, wire

pytestmark = pytest.mark.long

PATH = "movie.Mjpeg"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("good"))


def server_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusting(good: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(good.certificate))


@pytest.fixture
def port(small_movie: Path, good: Certificate) -> Iterator[int]:
    with running_server(small_movie.parent, tls=server_context(good), fps=100) as port:
        yield port


def play(*arguments: object, frames: int = 20) -> tuple[int, str]:
    run = run_client(*arguments, "--headless", "--json", "--frames", frames)
    assert run.report["frames"] == (frames if run.status == 0 else 0)
    return run.status, run.stderr


# --- the channel ---------------------------------------------------------------------------------


def test_a_channel_carries_any_bytes_in_any_pieces(
    good: Certificate, trusting: ssl.SSLContext
) -> None:
    server, client = TlsChannel(server_context(good)), TlsChannel(trusting, HOST)
    assert client.take(b"") == b""
    to_server, to_client = client.outgoing(), b""
    while not (server.is_established and client.is_established):
        for byte in to_server:
            assert server.take(bytes([byte])) == b""
        to_client, to_server = server.outgoing(), b""
        assert client.take(to_client) == b""
        to_server = client.outgoing()
    client.take(server.outgoing())
    said = bytes(range(256)) * 1000
    heard = b"".join(server.take(bytes([byte])) for byte in client.encrypt(said))
    assert heard == said
    assert client.take(server.encrypt(said)) == said
    assert server.take(client.close()) == b""
    assert server.is_closed and not client.is_closed


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans(), st.booleans())
def test_any_bytes_are_a_handshake_or_an_ssl_error(
    pieces: list[bytes], is_server: bool, begins_well: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    channel = TlsChannel(context, None if is_server else HOST)
    try:
        for piece in [b"\x16\x03\x01\x00"] * begins_well + pieces:
            assert channel.take(piece) == b""
            channel.outgoing()
    except ssl.SSLError as error:
        assert isinstance(error, OSError)
    assert not channel.is_established
    channel.close()


# --- playing -------------------------------------------------------------------------------------


def test_the_client_plays_by_tls(good: Certificate, small_movie: Path, tmp_path: Path) -> None:
    with ServerProcess(small_movie.parent, "--fps", "100", "--tls", *map(str, good)) as server:
        address = f"rtsps://{HOST}:{server.port}/{PATH}"
        assert play(address, "--ca", good.certificate) == (0, "")
        assert play(address, "--insecure") == (0, "")


def test_the_client_trusts_nobody_unknown(port: int) -> None:
    status, sentence = play(f"rtsps://{HOST}:{port}/{PATH}")
    assert status == 1
    assert not lacks(sentence, "certificate", HOST, "not trusted", "--ca", "--insecure")
    assert sentence.count("\n") == 1


def test_the_client_wants_the_name_it_asked_for(small_movie: Path, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "DNS:elsewhere.example")
    with running_server(small_movie.parent, tls=server_context(other)) as port:
        status, sentence = play(f"rtsps://{HOST}:{port}/{PATH}", "--ca", other.certificate)
    assert status == 1
    assert not lacks(sentence, "certificate", HOST, "not trusted")


def test_udp_is_refused_because_it_would_be_readable(port: int, trusting: ssl.SSLContext) -> None:
    with Peer(port, trusting) as peer:
        track = f"{peer.base}/{PATH}/trackID=0"
        udp = "RTP/AVP;unicast;client_port=40000-40001"
        assert peer.ask("SETUP", track, f"Transport: {udp}").status == 461
        both = f"Transport: {udp},RTP/AVP/TCP;unicast;interleaved=0-1"
        response = peer.ask("SETUP", track, both)
        assert response.status == 200
        assert response.headers.get("Transport").startswith("RTP/AVP/TCP;")


def test_one_can_log_in_inside_tls(
    small_movie: Path, good: Certificate, trusting: ssl.SSLContext
) -> None:
    settings = {"tls": server_context(good), "users": UserDatabase([("ann", "secret")])}
    with running_server(small_movie.parent, **settings) as port, Peer(port, trusting) as peer:
        uri = f"{peer.base}/{PATH}"
        right = BasicCredentials("ann", "secret").serialise()
        refusal = peer.ask("DESCRIBE", uri, f"Authorization: {right}")
        assert refusal.status == 401
        schemes = {value.split()[0] for name, value in refusal.headers if name[:3] == "WWW"}
        assert schemes == {"Digest"}
        address = f"rtsps://ann:secret@{HOST}:{port}/{PATH}"
        assert play(address, "--ca", good.certificate) == (0, "")


def test_requests_and_frames_cross_without_harm(port: int, trusting: ssl.SSLContext) -> None:
    """The pacer writes while the control thread reads and answers."""
    with Peer(port, trusting) as peer:
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        session = peer.ask("SETUP", f"{peer.base}/{PATH}/trackID=0", transport).session
        name = f"Session: {session}"
        peer.ask("PLAY", f"{peer.base}/{PATH}/", name)
        frames = 0
        for _ in range(40):
            answers = 5  # at once: so the server answers them while frames are due
            for _ in range(answers):
                peer.send("GET_PARAMETER", f"{peer.base}/{PATH}/", name)
            while answers:
                message = peer.message()
                assert message is not None
                if isinstance(message, InterleavedFrame):
                    frames += 1
                else:
                    assert message.status == 200
                    answers -= 1
        assert frames


def test_a_viewer_who_does_not_read_loses_frames_and_no_framing(
    small_movie: Path, good: Certificate, trusting: ssl.SSLContext
) -> None:
    settings = {"tls": server_context(good), "fps": 1000, "loop": True, "limits": Limits(queue=64)}
    with running_server(small_movie.parent, **settings) as port, Peer(port, trusting) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        session = peer.ask("SETUP", f"{peer.base}/{PATH}/trackID=0", transport).session
        peer.ask("PLAY", f"{peer.base}/{PATH}/", f"Session: {session}")
        sequence, is_broken, deadline = None, False, time.monotonic() + 30
        while not is_broken:
            assert time.monotonic() < deadline, "nothing was dropped"
            time.sleep(0.5)
            peer.send("PAUSE", f"{peer.base}/{PATH}/", f"Session: {session}")
            while isinstance(message := peer.message(), InterleavedFrame):
                if message.channel == 0:
                    number = int.from_bytes(message.payload[2:4], "big")
                    is_broken |= sequence is not None and number != (sequence + 1) % 65536
                    sequence = number
            assert message is not None and message.status == 200
            peer.ask("PLAY", f"{peer.base}/{PATH}/", f"Session: {session}")


# --- misunderstandings ---------------------------------------------------------------------------


def test_who_closes_tls_is_answered_and_hung_up_on(port: int, trusting: ssl.SSLContext) -> None:
    with Peer(port, trusting) as peer:
        assert peer.ask("OPTIONS", "*").status == 200
        assert isinstance(peer.socket, ssl.SSLSocket)
        with peer.socket.unwrap() as bare:  # waits for the server's close_notify
            assert bare.recv(1) == b""


def test_plain_rtsp_on_the_tls_port_is_told_so(
    port: int, good: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with Peer(port) as peer:
        response = peer.ask("DESCRIBE", f"{peer.base}/{PATH}")
        assert response.status == 400 and not lacks(response.reason, "TLS", "rtsps")
        assert peer.is_hung_up()
    with Peer(port) as lab:
        transport = b"Transport: RTP/UDP; client_port= 25000"
        lab.socket.sendall(b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\n" + transport)
        status_line = lab.socket.recv(1024).split(b"\n")[0]
        assert status_line.startswith(b"RTSP/1.0 400 ") and b"TLS" in status_line
    status, sentence = play(f"rtsp://{HOST}:{port}/{PATH}")
    assert status == 1 and not lacks(sentence, "400", "TLS", "rtsps")
    assert not lacks(caplog.text, "plain RTSP", "TLS port")
    caplog.clear()  # it keeps the errors alive, and all that they came from
    assert play(f"rtsps://{HOST}:{port}/{PATH}", "--ca", good.certificate)[0] == 0


def test_tls_on_the_plain_port_is_told_so(
    small_movie: Path, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with running_server(small_movie.parent, fps=100) as port:
        with pytest.raises(ssl.SSLError):
            Peer(port, trusting)
        status, sentence = play(f"rtsps://{HOST}:{port}/{PATH}")
        assert status == 1 and not lacks(sentence, HOST, str(port), "not speak TLS", "rtsp://")
        assert play(f"rtsp://{HOST}:{port}/{PATH}", "--transport", "tcp")[0] == 0
    assert not lacks(caplog.text, "uses TLS", "--tls")
    caplog.clear()  # it keeps the errors alive, and all that they came from


def test_the_client_understands_an_alert_on_a_plain_connection() -> None:
    with answering(b"\x15\x03\x03\x00\x02\x02\x46") as port:
        status, sentence = play(f"rtsp://{HOST}:{port}/{PATH}")
    assert status == 1
    assert not lacks(sentence, "speaks TLS", "rtsps://")


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x03\x00\x04junk", b"\x00" * 100])
def test_the_client_survives_servers_that_speak_nonsense(said: bytes) -> None:
    with answering(said) as port:
        status, sentence = play(f"rtsps://{HOST}:{port}/{PATH}", "--insecure")
    assert status == 1
    assert sentence.count("\n") == 1 and sentence.endswith(".\n")


@contextmanager
def answering(said: bytes) -> Iterator[int]:
    """Run a server that says this to every connection as soon as it is spoken to."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    accepted.recv(4096)
                    accepted.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        end_listening(listener)
        thread.join()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks_tls_of_either_good_version(
    port: int, trusting: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    trusting.minimum_version = trusting.maximum_version = version
    with Peer(port, trusting) as peer:
        assert peer.ask("OPTIONS", "*").status == 200


def test_a_handshake_that_never_ends_is_ended_and_delays_nobody(
    port: int, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HANDSHAKE_TIMEOUT", 1.0)
    with socket.create_connection((HOST, port), LIMIT) as silent:
        silent.sendall(b"\x16\x03\x01\x02\x00")
        with Peer(port, trusting) as peer:
            assert peer.ask("OPTIONS", "*").status == 200
        assert silent.recv(1) == b""


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (("none.pem", "key.pem"), r"none.pem can't be read \(No such file or directory\)."),
        (("key.pem", "certificate.pem"), "PEM certificate"),
        (("certificate.pem", "other.pem"), "PEM certificate"),
    ],
)
def test_wrong_files_are_one_sentence(
    good: Certificate, files: tuple[str, str], sentence: str, small_movie: Path, tmp_path: Path
) -> None:
    for path in good:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "other.pem").write_text("no key")
    with pytest.raises(AssertionError, match=sentence) as caught:
        options = ("--tls", *(str(tmp_path / name) for name in files))
        ServerProcess(small_movie.parent, *options).__enter__()
    assert "Traceback" not in str(caught.value)


def test_a_wrong_file_of_authorities_is_one_sentence(port: int, tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", Path(__file__)):
        status, sentence = play(f"rtsps://{HOST}:{port}/{PATH}", "--ca", path)
        assert (status, sentence.count("\n")) == (1, 1)
        assert not lacks(sentence, str(path), "no certificates")


# --- answers of TLS itself -----------------------------------------------------------------------


class AnswersAll:
    """A channel whose peer asks for new keys with every byte (RFC 8446 section 4.6.3)."""

    is_established = True
    is_closed = False

    def take(self, data: bytes) -> bytes:
        return b""

    def outgoing(self) -> bytes:
        return b"k" * 10_000

    def close(self) -> bytes:
        return b""


def test_who_asks_for_keys_without_end_and_does_not_read_is_cut_off(good: Certificate) -> None:
    ours, theirs = socket.socketpair()
    limits = Limits(queue=64)
    served = connection.RtspConnection(ours, server_context(good), limits)
    served._wire._tls = AnswersAll()  # type: ignore[assignment]
    with theirs:
        try:
            with pytest.raises(TimeoutError):
                for _ in range(200):
                    theirs.send(b"\x16")
                    served._wait(None)
            assert len(served._wire._waiting) <= limits.queue_bytes + 10_000
        finally:
            served.close()
