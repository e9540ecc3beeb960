"""The client's UDP ports: whole datagrams, of one host only, however the kernel hands them over."""

from __future__ import annotations

import errno
import socket
import struct
import sys
import time

import pytest
from systems import needs_loopback_network

from rtplab.receiving.rtp.rtpsocket import READINGS, Batch, RtpSocket

HOST = "127.0.0.1"
LIMIT = 10.0
UDP_SEGMENT = 103  # linux/udp.h
SIZE = 1400


@pytest.fixture
def ports():
    ports = RtpSocket(0, HOST, with_rtcp=True)
    yield ports
    ports.close()


@pytest.fixture
def sender(ports):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((HOST, 0))
        sender.connect((HOST, ports.port))
        yield sender


def received(ports, count):
    """The batches with the first `count` datagrams, or what has come within the limit."""
    batches = []
    deadline = time.monotonic() + LIMIT
    while len(payloads(batches)) < count and time.monotonic() < deadline:
        batches += ports.receive(deadline)
    return batches


def payloads(batches):
    return [datagram for batch in batches for datagram in batch.datagrams]


def test_datagrams_of_all_sizes_come_whole_and_in_order(ports, sender):
    sent = [b"a" * 1400, b"b" * 1400, b"c" * 700, b"d", b"e" * 1400, b"f" * 60_000, b"g" * 1400]
    for data in sent:
        sender.send(data)
    assert payloads(received(ports, len(sent))) == sent


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone does that")
@pytest.mark.parametrize("last", [1, 700, SIZE])
def test_datagrams_that_the_kernel_hands_over_together_are_told_apart(ports, sender, last):
    sent = [bytes([number]) * SIZE for number in range(20)] + [b"x" * last]
    try:
        segments = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", SIZE))]
        sender.sendmsg(sent, segments)
    except OSError as error:
        assert error.errno in (errno.EINVAL, errno.EIO, errno.ENOPROTOOPT)
        pytest.skip("this kernel cuts no messages into datagrams, nor puts them together")
    assert payloads(received(ports, len(sent))) == sent


def test_a_datagram_says_where_it_came_from(ports, sender):
    source = sender.getsockname()[1]
    sender.send(b"media")
    assert received(ports, 1) == [Batch([b"media"], source, False)]
    sender.sendto(b"report", (HOST, ports.port + 1))
    assert received(ports, 1) == [Batch([b"report"], source, True)]


def test_an_empty_datagram_is_passed_over(ports, sender):
    sender.send(b"")
    sender.send(b"media")
    assert payloads(received(ports, 1)) == [b"media"]


@needs_loopback_network
def test_another_host_is_not_heard(ports, sender):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(b"from elsewhere", (HOST, ports.port))
    sender.send(b"media")
    assert payloads(received(ports, 1)) == [b"media"]
    assert ports.strangers == 1


def test_what_has_come_by_the_wake_up_still_counts(ports, sender):
    sender.send(b"media")
    ports.wake()
    assert payloads(ports.receive(None)) == [b"media"]
    assert ports.receive(None) is None


def test_all_that_has_come_by_the_wake_up_counts_however_much(ports, sender):
    sent = [b"x" * size for size in range(1, 3 * READINGS)]  # of one size they would come as one
    for datagram in sent:
        sender.send(datagram)
    ports.wake()
    assert payloads(ports.receive(None)) == sent
    assert ports.receive(None) is None


def test_who_waits_may_be_told_to_look_up(ports, sender):
    ports.look_up()
    assert ports.receive(None) == []
    sender.send(b"media")
    assert payloads(received(ports, 1)) == [b"media"]
    ports.look_up()
    ports.wake()
    assert ports.receive(None) == []
    assert ports.receive(None) is None


def test_the_ways_to_the_server_begin_at_our_ports(ports, sender):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        server.settimeout(LIMIT)
        to = server.getsockname()[1]
        ports.send_rtp(b"media", to)
        assert server.recvfrom(100) == (b"media", (HOST, ports.port))
        ports.send_rtcp(b"report", to)
        assert server.recvfrom(100) == (b"report", (HOST, ports.port + 1))


def test_a_flood_does_not_keep_the_thread(ports, sender):
    """Each of another size: the kernel hands none of them over together."""
    sent = [b"x" * size for size in range(1, 3 * READINGS)]
    for data in sent:
        sender.send(data)
    first = ports.receive(None)
    assert len(first) == READINGS
    assert payloads(first + received(ports, len(sent) - READINGS)) == sent


def test_a_flood_of_media_does_not_hold_a_report_up(ports, sender):
    for size in range(1, 2 * READINGS):
        sender.send(b"x" * size)
    sender.sendto(b"report", (HOST, ports.port + 1))
    batches = ports.receive(None)
    assert len(batches) == READINGS + 1
    assert batches[-1].datagrams == [b"report"] and batches[-1].is_rtcp


def test_nothing_has_come_by_the_deadline(ports):
    began = time.monotonic()
    assert ports.receive(began + 0.05) == []
    assert 0.05 <= time.monotonic() - began < LIMIT
    assert ports.receive(began) == []


def test_media_goes_before_a_report_that_came_earlier(ports, sender):
    sender.sendto(b"report", (HOST, ports.port + 1))
    sender.sendto(b"media", (HOST, ports.port))
    assert [(b.datagrams, b.is_rtcp) for b in received(ports, 2)] == [
        ([b"media"], False),
        ([b"report"], True),
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux hands them over so")
def test_all_batches_that_have_come_go_before_what_came_by_rtcp(ports, sender):
    segments = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", SIZE))]
    sent = [bytes([number]) * SIZE for number in range(30)]
    for start in range(0, len(sent), 10):
        sender.sendmsg(sent[start : start + 10], segments)
    sender.connect((HOST, ports.port + 1))
    sender.send(b"BYE")
    ports.wake()
    assert payloads(ports.receive(time.monotonic() + LIMIT)) == [*sent, b"BYE"]
