"""A viewer's RTP port is closed: each packet is answered by ICMP, port unreachable."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from frames import at_the_pace, complete, numbers_of, share_to_come
from lab_clients import LF_BLANK
from movies import MOVIE, frames_of, write_movie
from namespaces import SERVER_HOST, Network
from peers import UDP
from processes import HOST, ServerProcess, run_client
from raw_rtsp import Peer
from remote import RemoteServer

LAB = "lab"
KINDS = (UDP, LAB)
FPS = 20
FRAMES = 160  # 8 s: longer than the patience with a closed port
PATIENCE = 5.0  # seconds
LATE = 3.0  # seconds after PLAY
BUSY = 4.0  # seconds by which a busy machine may be late
LIMIT = 60.0
SILENCE = 2.0  # seconds after which no packet follows
OUTSIDE = 20_000, 30_000  # ports that Linux, Windows and macOS leave alone


def free_port():
    """An even port that was free a moment ago, and that no system gives to who asks for any."""
    while True:
        port = random.randrange(*OUTSIDE, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def play(peer, kind, rtp_port):
    """SETUP for a port that nobody has opened, and PLAY."""
    control = peer.socket
    control.settimeout(LIMIT)
    if kind == UDP:
        url = f"{peer.base}/movie.Mjpeg"
        transport = f"Transport: RTP/AVP;unicast;client_port={rtp_port}-{rtp_port + 1}"
        answer = peer.ask("SETUP", f"{url}/trackID=0", transport)
        assert answer.status == 200
        session = f"Session: {answer.session}"
        assert peer.ask("PLAY", url, "Range: npt=0-", session).status == 200
        return
    control.sendall(LF_BLANK.request("SETUP", 1, rtp_port=rtp_port))
    session = LF_BLANK.reply(200, 1).fullmatch(control.recv(1024))[1].decode()
    control.sendall(LF_BLANK.request("PLAY", 2, session=session))
    assert LF_BLANK.reply(200, 2).fullmatch(control.recv(1024))


def seconds_until_hung_up(kind, server_port):
    """Play and never listen; return how long the server bears it."""
    with Peer(server_port) as peer:
        play(peer, kind, free_port())
        began = time.monotonic()
        assert peer.socket.recv(1024) == b"", "the server has hung up"
        return time.monotonic() - began


def packets_at_a_late_port(kind, server_port):
    """Play, open the port late, and return the packets that come until the server has no more."""
    rtp_port = free_port()
    with Peer(server_port) as peer:
        play(peer, kind, rtp_port)
        time.sleep(LATE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
            rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 << 20)
            rtp.bind((HOST, rtp_port))
            rtp.settimeout(SILENCE)
            packets = []
            while (packet := next_packet(rtp)) is not None:
                packets.append(packet)
        peer.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.socket.recv(1)  # it has not been hung up on
    return packets


def next_packet(rtp):
    try:
        return rtp.recv(65_535)
    except TimeoutError:
        return None


@pytest.fixture(scope="module")
def happened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("port")
    originals = frames_of(MOVIE)[:FRAMES]
    media = write_movie(folder / "media" / "movie.Mjpeg", originals).parent

    def watch(kind, address):
        options = ("--headless", "--json", "--frames", FRAMES, "--save", folder / kind)
        run = run_client(*address, *options, limit=LIMIT)
        return numbers_of(folder / kind, originals), run.report

    with (
        ServerProcess(media, "--fps", str(FPS), "--log-level", "warning") as server,
        ThreadPoolExecutor(6) as pool,
    ):
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        addresses = {LAB: (HOST, server.port, 0, "movie.Mjpeg"), UDP: (url, "--transport", UDP)}
        futures = {}
        for kind in KINDS:
            futures["closed", kind] = pool.submit(seconds_until_hung_up, kind, server.port)
            futures["late", kind] = pool.submit(packets_at_a_late_port, kind, server.port)
            futures["calm", kind] = pool.submit(watch, kind, addresses[kind])
        happened = {name: future.result() for name, future in futures.items()}
        return happened | {"log": server.errors()}


@pytest.mark.parametrize("kind", KINDS)
def test_who_never_opens_his_port_is_hung_up_on(happened, kind):
    """After five seconds: the connection may stay open for ever behind a dead viewer."""
    assert PATIENCE - 0.5 < happened["closed", kind] < PATIENCE + BUSY


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_opens_late_gets_the_rest_of_the_movie(happened, kind):
    """Lab clients may open theirs only after PLAY: three seconds are borne, and forgotten."""
    packets = happened["late", kind]
    stamps = {packet[4:8] for packet in packets}
    after = FPS * (FRAMES / FPS - LATE - BUSY)
    assert share_to_come(happened["log"]) * after < len(stamps) < FRAMES


@pytest.mark.parametrize("kind", KINDS)
def test_a_viewer_who_listens_notices_nothing(happened, kind):
    shown, report = happened["calm", kind]
    assert complete(shown, FRAMES, happened["log"])
    assert [report[name] for name in ("late", "duplicates")] == [0, 0]
    assert at_the_pace(report["fps"], FPS, happened["log"])


@pytest.mark.peers  # needs root, or user namespaces
def test_who_is_far_away_and_never_opens_his_port_is_hung_up_on_too():
    """Over a network Linux answers with ICMP no more than once a second."""
    with Network(viewers=1) as network, RemoteServer(network, MOVIE.parent) as server:
        with network.viewer(1).socket(socket.SOCK_STREAM) as control:
            control.settimeout(3 * PATIENCE)
            control.connect((SERVER_HOST, urlsplit(server.url).port))
            control.sendall(LF_BLANK.request("SETUP", 1, rtp_port=free_port()))
            session = LF_BLANK.reply(200, 1).fullmatch(control.recv(1024))[1].decode()
            control.sendall(LF_BLANK.request("PLAY", 2, session=session))
            assert LF_BLANK.reply(200, 2).fullmatch(control.recv(1024))
            began = time.monotonic()
            assert control.recv(1024) == b"", "the server has hung up"
            assert PATIENCE - 0.5 < time.monotonic() - began < PATIENCE + BUSY
