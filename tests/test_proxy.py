"""The PROXY protocol: golden headers, hostile ones, and the server behind a proxy."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import HOST, ServerProcess
from raw_rtsp import Peer
from standard_clients import StandardClient

from rtplab.protocol.errors import PeerError
from rtplab.protocol.proxy import MAX_V1, MAX_V2, missing, parse
from rtplab.serving.process import options
from rtplab.serving.scaling import proxies
from rtplab.serving.scaling.proxies import TrustedProxies, read_client_address

LIMIT = 10.0  # seconds that anything may take

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
TCP4 = SIGNATURE + bytes.fromhex("21 11 000c c0a80001 c0a8000b dc04 01bb")
TCP6 = SIGNATURE + bytes.fromhex(
    "21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 dc04 01bb"
)
MAPPED = SIGNATURE + bytes.fromhex(
    "21 21 0024 00000000000000000000ffffc0a80001 00000000000000000000ffffc0a8000b dc04 01bb"
)
WITH_TLV = SIGNATURE + bytes.fromhex("21 11 0013 c0a80001 c0a8000b dc04 01bb 04 0004 00000000")
LOCAL = SIGNATURE + bytes.fromhex("20 00 0000")
LONGEST_V1 = b"PROXY TCP6 " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2 + [b"65535"] * 2) + b"\r\n"

GOOD = {
    "TCP4": (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", ("192.168.0.1", 56324)),
    "TCP6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", ("2001:db8::1", 56324)),
    "mapped": (b"PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n", ("1.2.3.4", 1)),
    "longest": (LONGEST_V1, ("ffff:" * 7 + "ffff", 65535)),
    "unknown": (b"PROXY UNKNOWN\r\n", None),
    "unknown-more": (b"PROXY UNKNOWN ffff::1 \xff what ever\r\n".replace(b"\xff", b"x"), None),
    "v2-TCP4": (TCP4, ("192.168.0.1", 56324)),
    "v2-TCP6": (TCP6, ("2001:db8::1", 56324)),
    "v2-mapped": (MAPPED, ("192.168.0.1", 56324)),
    "v2-TLV": (WITH_TLV, ("192.168.0.1", 56324)),
    "v2-LOCAL": (LOCAL, None),
    "v2-LOCAL-with-addresses": (TCP4.replace(b"\x21\x11", b"\x20\x11"), None),
    "v2-unspecified": (SIGNATURE + bytes.fromhex("21 00 0000"), None),
    "v2-unix": (SIGNATURE + bytes.fromhex("21 31 00d8") + bytes(216), None),
}

BAD = {
    "rtsp": b"OPTIONS * RTSP/1.0\r\n",
    "lower-case": b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "family": b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
    "udp": b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "unknown-glued": b"PROXY UNKNOWNS\r\n",
    "too-few": b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    "too-many": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
    "two-spaces": b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    "not-ascii": b"PROXY TCP4 1.2.3.4 1.2.3.\xb2 1 2\r\n",
    "host": b"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
    "destination": b"PROXY TCP4 1.2.3.4 localhost 1 2\r\n",
    "6-in-4": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "4-in-6": b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    "port": b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
    "port-0s": b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
    "port-minus": b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
    "port-long": b"PROXY TCP4 1.2.3.4 1.2.3.4 1000000000000000001 2\r\n",
    "destination-port": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 x\r\n",
    "no-family": b"PROXY \r\n    \r\n",
    "line-end-inside": b"PROXY TCP4 1.2.3.4\r\n1.2.3.4 1 2\r\n",
    "six-digits": LONGEST_V1.replace(b"ffff:", b"0ffff:", 1),
    "no-end": b"PROXY TCP4 " + b" " * 200,
    "v2-version": TCP4.replace(b"\x21\x11", b"\x31\x11"),
    "v2-command": TCP4.replace(b"\x21\x11", b"\x22\x11"),
    "v2-datagram": TCP4.replace(b"\x21\x11", b"\x21\x12"),
    "v2-family": TCP4.replace(b"\x21\x11", b"\x21\x41"),
    "v2-short": SIGNATURE + bytes.fromhex("21 11 000b c0a80001 c0a8000b dc04 01"),
    "v2-TCP6-short": SIGNATURE + bytes.fromhex("21 21 000c") + bytes(12),
    "v2-over-536": SIGNATURE + struct.pack(">BBH", 0x21, 0x11, MAX_V2 - 15) + bytes(MAX_V2),
}


def read(stream, piece=None):
    """Read a header off the beginning of `stream` as the server does; return it and the rest.

    At most `piece` bytes come at a time.
    """
    header, position = b"", 0
    while count := missing(header):
        part = stream[position : position + min(count, piece or count)]
        if not part:
            raise EOFError
        header, position = header + part, position + len(part)
    return parse(header), stream[position:]


@pytest.mark.parametrize("piece", [None, 1, 7])
@pytest.mark.parametrize("name", GOOD)
def test_a_header_in_any_pieces_and_nothing_behind_it(name, piece):
    header, client = GOOD[name]
    for behind in (b"", b"OPTIONS * RTSP/1.0\r\n\r\n", b"\r\n", b"\x16\x03\x01"):
        assert read(header + behind, piece) == (client, behind)


@pytest.mark.parametrize("name", GOOD)
def test_a_header_that_is_cut_off(name):
    header = GOOD[name][0]
    for length in range(len(header)):
        assert 0 < missing(header[:length]) <= max(12, len(header) - length)
        with pytest.raises(PeerError):
            parse(header[:length])


def test_the_longest_line_is_107_bytes():
    assert len(LONGEST_V1) == 104 < MAX_V1 == 107
    padded = b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 16) + b"\r\n"
    assert len(padded) == MAX_V1
    assert read(padded) == (None, b"")


@pytest.mark.parametrize("piece", [None, 1])
@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name, piece):
    with pytest.raises(PeerError):
        read(BAD[name], piece)


def test_nonsense_is_refused_at_its_first_byte():
    for byte in set(range(256)) - {ord("P"), ord("\r")}:
        with pytest.raises(PeerError):
            missing(bytes([byte]))


@given(st.binary(max_size=700))
def test_any_bytes_are_a_header_or_a_peer_error(data):
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"):
        try:
            read(start + data)
        except (PeerError, EOFError):
            pass


PORTS = st.integers(0, 65535)


@given(st.ip_addresses(), PORTS, st.binary(max_size=100))
def test_any_client_of_either_version(source, port, behind):
    four = source.version == 4
    kind, code = ("TCP4", 0x11) if four else ("TCP6", 0x21)
    line = f"PROXY {kind} {source} {source} {port} 1\r\n".encode()
    addresses = source.packed * 2 + struct.pack(">HH", port, 1)
    binary = SIGNATURE + struct.pack(">BBH", 0x21, code, len(addresses)) + addresses
    mapped = None if four else source.ipv4_mapped
    expected = (str(mapped or source), port)
    assert read(line + behind) == (expected, behind)
    assert read(binary + behind) == (expected, behind)


# --- Who is believed -----------------------------------------------------------------------------


def test_which_proxies_are_trusted():
    networks = map(ipaddress.ip_network, ("10.0.0.7", "192.168.1.0/24", "2001:db8::/32"))
    trusted = TrustedProxies(tuple(networks))
    for host in ("10.0.0.7", "192.168.1.200", "2001:db8::9", "::ffff:10.0.0.7"):
        assert trusted.trusts(host)
    for host in ("10.0.0.8", "127.0.0.1", "::1", "::ffff:10.0.0.8"):
        assert not trusted.trusts(host)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--proxy-protocol"], "--proxy-protocol needs a --trusted-proxy"),
        (["--trusted-proxy", "10.0.0.7"], "--trusted-proxy needs --proxy-protocol"),
        (["--proxy-protocol", "--trusted-proxy", "haproxy"], "as in 10.0.0.7 or 10.0.0.0/24"),
        (["--proxy-protocol", "--trusted-proxy", "10.0.0.7/8"], "as in 10.0.0.7 or 10.0.0.0/24"),
    ],
)
def test_options_that_make_no_sense(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as exit:
        options.parse_arguments(arguments)
    assert exit.value.code == 2
    assert sentence in capsys.readouterr().err


# --- Off a socket --------------------------------------------------------------------------------


@contextmanager
def socket_pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_a_fragmented_header_leaves_what_follows():
    with socket_pair() as (ours, theirs):

        def send():
            for byte in TCP4:
                theirs.sendall(bytes([byte]))
            theirs.sendall(b"OPTIONS")

        sender = threading.Thread(target=send)
        sender.start()
        assert read_client_address(ours) == ("192.168.0.1", 56324)
        sender.join()
        assert ours.recv(100) == b"OPTIONS"


def test_a_header_that_does_not_come_in_time(monkeypatch):
    monkeypatch.setattr(proxies, "HEADER_TIMEOUT", 0.05)
    with socket_pair() as (ours, theirs):
        theirs.sendall(TCP4[:-1])
        with pytest.raises(TimeoutError):
            read_client_address(ours)


def test_a_proxy_that_hangs_up():
    with socket_pair() as (ours, theirs):
        theirs.sendall(TCP4[:-1])
        theirs.close()
        with pytest.raises(ConnectionError):
            read_client_address(ours)


# --- The server ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(small_movie):
    arguments = ("--proxy-protocol", "--trusted-proxy", HOST)
    with ServerProcess(small_movie.parent, *arguments) as server:
        yield server


@contextmanager
def viewer_behind_proxy(server, header):
    """A viewer whose first words are those of the proxy before it."""
    with StandardClient(server.port) as viewer:
        viewer.control.sendall(header)
        yield viewer


def wait_for_log(server, words):
    deadline = time.monotonic() + LIMIT
    while words not in server.errors():
        assert time.monotonic() < deadline, server.errors()
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"PROXY TCP4 203.0.113.9 127.0.0.1 40001 5678\r\n", "203.0.113.9:40001"),
        (b"PROXY TCP6 2001:db8::7 ::1 40002 5678\r\n", "2001:db8::7:40002"),
        (TCP4, "192.168.0.1:56324"),
    ],
)
def test_the_log_names_the_real_client_and_media_comes(server, header, name):
    with viewer_behind_proxy(server, header) as viewer:
        viewer.watch()
        viewer.next_packet()
        wait_for_log(server, f"{name} connected\n")
    wait_for_log(server, f"{name} gone: ")


@pytest.mark.parametrize(("family", "host"), [("TCP4", "127.0.0.2"), ("TCP6", "::1")])
def test_udp_goes_to_the_real_client(server, family, host):
    kind = socket.AF_INET6 if family == "TCP6" else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as rtp:
        try:
            rtp.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        rtp.settimeout(LIMIT)
        port = rtp.getsockname()[1]
        header = f"PROXY {family} {host} {host} 40003 5678\r\n".encode()
        with viewer_behind_proxy(server, header) as viewer:
            viewer.watch(f"RTP/AVP;unicast;client_port={port}-{port + 1}")
            assert rtp.recv(2048)[:2] in (b"\x80\x1a", b"\x80\x9a")


def test_a_health_check_speaks_for_the_proxy_itself(server):
    with viewer_behind_proxy(server, LOCAL) as viewer:
        host, port = viewer.control.getsockname()
        assert viewer.ask("OPTIONS").status == 200
        wait_for_log(server, f"{host}:{port} connected\n")


@pytest.mark.parametrize("preface", [b"", b"PROXY TCP4 nonsense\r\n"])
def test_without_a_proper_header_the_proxy_is_hung_up_on(server, preface):
    with viewer_behind_proxy(server, preface) as viewer:
        with pytest.raises((EOFError, ConnectionError)):
            viewer.ask("OPTIONS")
    wait_for_log(server, "PROXY")


def test_a_silent_proxy_holds_up_nobody(server):
    with socket.create_connection(server.address, LIMIT) as silent:
        began = time.monotonic()
        with viewer_behind_proxy(server, LOCAL) as viewer:
            assert viewer.ask("OPTIONS").status == 200
        assert silent.recv(1) == b""
        assert time.monotonic() - began > proxies.HEADER_TIMEOUT * 0.9
    wait_for_log(server, "no PROXY header")


def test_limits_are_those_of_the_real_client(small_movie):
    arguments = ("--proxy-protocol", "--trusted-proxy", HOST, "--max-connections-per-address", "1")
    line = "PROXY TCP4 203.0.113.{} 127.0.0.1 {} 5678\r\n".format
    with (
        ServerProcess(small_movie.parent, *arguments) as server,
        viewer_behind_proxy(server, line(1, 40001).encode()) as first,
        viewer_behind_proxy(server, line(2, 40002).encode()) as second,
    ):
        assert first.ask("OPTIONS").status == second.ask("OPTIONS").status == 200
        with viewer_behind_proxy(server, line(1, 40003).encode()) as third:
            with pytest.raises((EOFError, ConnectionError, AssertionError)):
                assert third.ask("OPTIONS").status == 200
        wait_for_log(server, "203.0.113.1:40003 gone: its address")


def test_from_others_no_header_is_taken(small_movie):
    arguments = ("--proxy-protocol", "--trusted-proxy", "10.99.99.99")
    with ServerProcess(small_movie.parent, *arguments) as server:
        with StandardClient(server.port) as viewer:
            assert viewer.ask("OPTIONS").status == 200
        forged = b"PROXY TCP4 203.0.113.9 127.0.0.1 40001 5678\r\n\r\n"
        with Peer(server.port) as peer:
            peer.socket.sendall(forged)
            assert peer.socket.recv(1024).startswith(b"RTSP/1.0 501 ")
        assert "203.0.113.9" not in server.errors()
