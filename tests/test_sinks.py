"""Where packets go: real sockets, closed ports, full buffers, and frames inside the connection."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import time
from types import SimpleNamespace

import pytest
from systems import needs_true_addresses

from rtplab.serving.rtp import sinks as module
from rtplab.serving.rtp.sinks import InterleavedSink, UdpSink, ViewerGone
from rtplab.serving.rtsp.connection import RtspConnection

HOST = "127.0.0.1"
HEADER = b"\x80\x1a\x00\x01" + bytes(8)
LIMIT = 5.0  # seconds that anything may take


@pytest.fixture
def viewer():
    """A viewer's RTP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((HOST, 0))
        receiver.settimeout(LIMIT)
        yield receiver


def port_of(receiver):
    return receiver.getsockname()[1]


@pytest.fixture
def sink(viewer):
    sink = UdpSink(HOST, HOST, port_of(viewer))
    yield sink
    sink.close()


def packets(*payloads):
    """Packets as a stream hands them over, in pieces."""
    return [(HEADER, payload) for payload in payloads]


class OfMacOS(socket.socket):
    """Sends no datagram larger than its send buffer, 9,216 bytes by default."""

    send_buffer = 9216

    def setsockopt(self, level, option, value):
        super().setsockopt(level, option, value)
        if (level, option) == (socket.SOL_SOCKET, socket.SO_SNDBUF):
            self.send_buffer = value

    def send(self, data):
        if len(data) > self.send_buffer:
            raise OSError(errno.EMSGSIZE, "Message too long")
        return super().send(data)


class TestUdp:
    @pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds it by datagrams")
    def test_what_comes_to_our_ports_and_nobody_reads_costs_next_to_nothing(self, viewer):
        sink = UdpSink(HOST, HOST, port_of(viewer))
        (rtp,) = sink.sockets
        for _ in range(500):
            viewer.sendto(bytes(1000), rtp.getsockname())
        kept = 0
        try:
            while rtp.recv(2000):
                kept += 1
        except BlockingIOError:
            pass
        assert kept < 10
        sink.close()

    def test_packets_are_gathered_from_their_pieces(self, sink, viewer):
        sink.send([(HEADER, memoryview(b"slice"))])
        data, address = viewer.recvfrom(100)
        assert data == HEADER + b"slice"
        assert address[0] == HOST

    def test_order_and_boundaries_are_kept(self, sink, viewer):
        payloads = [b"%03d" % number * 300 for number in range(30)] + [b"short"]
        sink.send(packets(*payloads))
        assert [viewer.recv(2000)[12:] for _ in payloads] == payloads

    @pytest.mark.parametrize("size", [1, 1472, 9000, 65_495])
    def test_any_size_that_a_datagram_holds(self, sink, viewer, size):
        sink.send(packets(b"x" * size))
        assert len(viewer.recv(65_535)) == 12 + size

    def test_a_frame_in_the_largest_packets(self, sink, viewer):
        sink.send(packets(b"a" * 65_495, b"b" * 1000))
        assert [len(viewer.recv(65_535)) for _ in range(2)] == [65_507, 1012]

    @pytest.mark.parametrize("size", [9217, 65_495])
    def test_a_frame_of_the_lab_is_no_datagram_too_large_for_macos(self, viewer, monkeypatch, size):
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", OfMacOS)
            sink = UdpSink(HOST, HOST, port_of(viewer))
        sink.send(packets(b"x" * size))
        assert len(viewer.recv(65_535)) == 12 + size
        sink.close()

    def test_the_lab_has_one_port(self, sink):
        assert (len(sink.sockets), sink.server_port) == (1, None)
        sink.send_report(b"goes nowhere")
        assert sink.receive_report() == b""

    def test_the_standard_has_two_side_by_side(self, viewer):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            control.bind((HOST, 0))
            control.settimeout(LIMIT)
            sink = UdpSink(HOST, HOST, port_of(viewer), port_of(control))
            rtp, rtcp = sink.server_port
            assert rtp % 2 == 0
            assert rtcp == rtp + 1
            sink.send_report(b"report")
            assert control.recvfrom(100) == (b"report", (HOST, rtcp))
            control.sendto(b"answer", (HOST, rtcp))
            assert [sink.receive_report() for _ in range(2)] == [b"answer", b""]
            sink.close()

    def test_a_stranger_s_datagrams_are_not_read(self, viewer):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            sink = UdpSink(HOST, HOST, port_of(viewer), port_of(viewer))
            stranger.sendto(b"stranger", (HOST, sink.server_port[1]))
            viewer.sendto(b"viewer", (HOST, sink.server_port[1]))
            assert sink.receive_report() == b"viewer"
            sink.close()

    def test_ipv6(self):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver:
            try:
                receiver.bind(("::1", 0))
            except OSError:
                pytest.skip("no IPv6 on this machine")
            receiver.settimeout(LIMIT)
            sink = UdpSink("::1", "::1", port_of(receiver))
            sink.send(packets(b"payload"))
            assert receiver.recv(100) == HEADER + b"payload"
            sink.close()

    def test_it_can_be_closed_twice(self, viewer):
        sink = UdpSink(HOST, HOST, port_of(viewer), port_of(viewer))
        sink.close()
        sink.close()

    @pytest.mark.parametrize(
        "host", [pytest.param("203.0.113.1", marks=needs_true_addresses), "no address"]
    )
    def test_what_cannot_be_opened_is_an_os_error_and_leaves_nothing_open(self, viewer, host):
        with pytest.raises(OSError):
            UdpSink(host, HOST, port_of(viewer))
        with pytest.raises(OSError):
            UdpSink(host, HOST, port_of(viewer), port_of(viewer))

    def test_what_cannot_be_reached_is_an_os_error_and_leaves_nothing_open(self):
        with pytest.raises(OSError):
            UdpSink(HOST, "203.0.113.1", 9, 9)  # from the loopback address

    def test_nothing_blocks_when_nobody_reads(self, sink, viewer):
        started = time.monotonic()
        for _ in range(100):
            sink.send(packets(*[b"x" * 1400] * 40))
        assert time.monotonic() - started < LIMIT


# --- A closed port -------------------------------------------------------------------------------


class Clock:
    """Stands in for the clock of media."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(module, "steady", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def closed_port(viewer):
    """A port that was open a moment ago."""
    port = port_of(viewer)
    viewer.close()
    return port


def send_for(sink, clock, seconds, interval=0.05):
    """Send a frame each interval, so that each second one meets the report of the last."""
    end = clock.now + seconds
    while clock.now < end:
        sink.send(packets(b"frame"))
        clock.now += interval
        time.sleep(0.0005)  # for the ICMP message to come back


class TestClosedPort:
    def test_is_borne_for_a_while_and_then_the_viewer_is_gone(self, closed_port, clock):
        sink = UdpSink(HOST, HOST, closed_port)
        send_for(sink, clock, module.REFUSAL_PATIENCE)
        with pytest.raises(ViewerGone, match="RTP port.*Connection refused"):
            send_for(sink, clock, 1.0)
        assert clock.now < 1000.0 + module.REFUSAL_PATIENCE + 0.2
        sink.close()

    def test_that_only_receiving_tells_of_is_found_out_as_on_windows(
        self, closed_port, clock, monkeypatch
    ):
        monkeypatch.setattr(module, "_REFUSALS_ARE_RECEIVED", True)
        sink = UdpSink(HOST, HOST, closed_port)

        def send_silently(packets):
            with contextlib.suppress(ConnectionRefusedError):
                sink._socket.send(b"".join(packets[0]))

        sink._sender = SimpleNamespace(send=send_silently)
        send_for(sink, clock, module.REFUSAL_PATIENCE * 0.9)
        with pytest.raises(ViewerGone):
            send_for(sink, clock, 1.0)
        sink.close()

    def test_that_opens_in_time_gets_the_packets(self, closed_port, clock):
        sink = UdpSink(HOST, HOST, closed_port)
        send_for(sink, clock, module.REFUSAL_PATIENCE * 0.9)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind((HOST, closed_port))
            receiver.settimeout(LIMIT)
            sink.send(packets(b"the first"))
            assert receiver.recv(100) == HEADER + b"the first", "not lost for an old report"
            send_for(sink, clock, 2 * module.REFUSAL_PATIENCE)
        sink.close()

    def test_reports_long_apart_are_not_counted_together(self, closed_port, clock):
        sink = UdpSink(HOST, HOST, closed_port)
        for _ in range(10):
            send_for(sink, clock, module.REFUSAL_PATIENCE / 5)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
                receiver.bind((HOST, closed_port))
                send_for(sink, clock, module.REFUSAL_MEMORY + 0.1)
        sink.close()

    def test_a_pause_does_not_count_as_a_whole(self, closed_port, clock):
        sink = UdpSink(HOST, HOST, closed_port)
        send_for(sink, clock, module.REFUSAL_PATIENCE / 5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind((HOST, closed_port))
            clock.now += 10 * module.REFUSAL_PATIENCE
            send_for(sink, clock, 2 * module.REFUSAL_PATIENCE)
        sink.close()

    @pytest.mark.parametrize("fps", [10.0, 0.9, 0.1])
    def test_is_found_out_at_any_frame_rate(self, closed_port, clock, fps):
        sink = UdpSink(HOST, HOST, closed_port)
        with pytest.raises(ViewerGone):
            send_for(sink, clock, module.REFUSAL_PATIENCE + 5 / fps, 1 / fps)
        sink.close()

    def test_the_control_port_may_be_closed_for_ever(self, viewer, clock):
        sink = UdpSink(HOST, HOST, port_of(viewer), port_of(viewer))
        viewer.close()
        for _ in range(100):
            sink.send_report(b"report")
            clock.now += 1.0
        sink.close()


# --- Inside the RTSP connection ------------------------------------------------------------------


@pytest.fixture
def pair():
    """The server's connection, and the client's end of it."""
    with socket.create_server((HOST, 0)) as listener:
        client = socket.create_connection(listener.getsockname(), LIMIT)
        accepted, _ = listener.accept()
    connection = RtspConnection(accepted)
    yield connection, client
    connection.close()
    client.close()


class TestInterleaved:
    def test_framing(self, pair):
        connection, client = pair
        sink = InterleavedSink(connection, (2, 3))
        sink.send(packets(b"one", b"four"))
        sink.send_report(b"report")
        expected = (
            b"$\x02\x00\x0f" + HEADER + b"one" + b"$\x02\x00\x10" + HEADER + b"four"
            b"$\x03\x00\x06report"
        )
        assert client.recv(1000) == expected
        sink.close()

    def test_a_client_that_is_gone(self, pair):
        connection, client = pair
        client.close()
        sink = InterleavedSink(connection, (0, 1))
        with pytest.raises(ViewerGone, match="connection"):
            for _ in range(100):
                sink.send(packets(b"x" * 1000))
                time.sleep(0.001)

    def test_a_slow_client_loses_whole_frames_and_never_its_framing(self, pair):
        connection, client = pair
        connection.rtsp_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        sink = InterleavedSink(connection, (0, 1))
        for number in range(3000):
            sink.send(packets(b"%06d" % number * 200, b"%06d" % number))
        assert connection.dropped_frames > 0
        client.settimeout(0.2)
        data = bytearray()
        try:
            while piece := client.recv(65_536):
                data += piece
                connection._wire.flush()
        except TimeoutError:
            pass
        numbers = frames_in(bytes(data))
        assert numbers == sorted(set(numbers))
        assert len(numbers) == 3000 - connection.dropped_frames
        dropped = connection.dropped_frames
        assert sink.not_sent == (dropped, 2 * dropped, dropped * (6 * 200 + 6))


def frames_in(data):
    """The numbers of the frames, each of a long packet and a short one."""
    numbers, at = [], 0
    while at < len(data):
        for copies in (200, 1):
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            assert data[at : at + 2] == b"$\0"
            payload = data[at + 4 + 12 : at + 4 + length]
            assert payload == payload[:6] * copies
            at += 4 + length
        numbers.append(int(payload))
    assert at == len(data)
    return numbers
