"""The same datagrams, in the same order, with and without the kernel's help."""

from __future__ import annotations

import errno
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import HOST

from rtplab.serving.rtp import datagrams
from rtplab.serving.rtp.datagrams import Burst, DatagramSender, evenly, kernel_can_segment
from rtplab.serving.rtp.sinks import MAX_BURST, SEND_BUFFER

needs_kernel = pytest.mark.skipif(
    not kernel_can_segment(), reason="this kernel does not segment UDP"
)


def packets_of(size, count, last):
    """`count` packets of `size` bytes, the last of `last`, each as pieces and all different."""
    packets = []
    for index in range(count):
        length = last if index == count - 1 else size
        packets.append((bytes([index % 256]) * 12, bytes(length - 12)))
    return packets


@given(st.lists(st.integers(), min_size=1, max_size=200), st.integers(1, 70))
def test_packets_are_parted_in_order_and_evenly(packets, most):
    parts = evenly(packets, most)
    assert [packet for part in parts for packet in part] == packets
    assert len(parts) == -(-len(packets) // most)
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most and len(set(sizes[:-1])) <= 1 and 0 < sizes[-1] <= sizes[0]


def sent(packets, segmenting):
    """Send over loopback; return the datagrams that came."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind((HOST, 0))
        receiver.settimeout(5)
        sender.setblocking(False)
        sender.connect(receiver.getsockname())
        DatagramSender(sender, segmenting, refused).send(packets)
        return [receiver.recv(65535) for _ in packets]


@needs_kernel
@settings(max_examples=40, deadline=None)
@given(st.integers(212, 1452), st.integers(1, 150), st.data())
def test_the_bytes_on_the_wire_are_the_same(size, count, data):
    last = data.draw(st.integers(13, size))
    packets = packets_of(size, count, last)
    expected = [b"".join(packet) for packet in packets]
    assert sent(packets, segmenting=True) == expected
    assert sent(packets, segmenting=False) == expected
    burst = Burst(packets)
    assert sent(burst, segmenting=True) == sent(burst, segmenting=True) == expected


@pytest.mark.parametrize("segmenting", [pytest.param(True, marks=needs_kernel), False])
def test_a_burst_never_overruns_the_receive_buffer_that_a_viewer_has_by_default(segmenting):
    """Nobody reads while it comes: a busy player, at 1080p, with packets of Ethernet's size."""
    packets = packets_of(1452, MAX_BURST, 1452)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((HOST, 0))
        receiver.settimeout(5)
        sender.connect(receiver.getsockname())
        sender.setblocking(False)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        DatagramSender(sender, segmenting, refused).send(packets)
        assert [receiver.recv(65535) for _ in packets] == [b"".join(packet) for packet in packets]


def refused(error):
    raise error


class FakeSocket:
    """Counts system calls; refuses segmentation where told to."""

    def __init__(self, refusal=None):
        self.refusal = refusal
        self.messages = []
        self.datagrams = []

    def sendmsg(self, pieces, ancillary):
        if self.refusal is not None:
            raise OSError(self.refusal, "refused")
        self.messages.append(b"".join(pieces))

    def send(self, data):
        self.datagrams.append(data)


def test_a_frame_takes_one_call_and_a_large_one_several_even_ones():
    fake = FakeSocket()
    DatagramSender(fake, True, refused).send(packets_of(1452, 8, 700))
    assert [len(message) for message in fake.messages] == [7 * 1452 + 700]
    fake = FakeSocket()
    DatagramSender(fake, True, refused).send(packets_of(1000, 130, 1000))
    assert [len(message) for message in fake.messages] == [44_000, 44_000, 42_000]
    fake = FakeSocket()
    DatagramSender(fake, True, refused).send(packets_of(1452, 60, 1452))
    assert [len(message) for message in fake.messages] == [30 * 1452, 30 * 1452]


@pytest.mark.parametrize("refusal", [errno.EIO, errno.ENOPROTOOPT])
def test_a_route_that_refuses_gets_single_sends_from_then_on(refusal):
    fake = FakeSocket(refusal)
    sender = DatagramSender(fake, True, refused)
    packets = packets_of(500, 3, 100)
    sender.send(packets)
    fake.refusal = None
    sender.send(packets)
    assert fake.messages == []
    assert fake.datagrams == [b"".join(packet) for packet in packets * 2]


@pytest.mark.parametrize("refusal", [errno.EMSGSIZE, errno.EINVAL])
def test_packets_too_large_for_the_path_go_singly_and_smaller_ones_together_again(refusal):
    """IP cuts what is too large by itself; the sender learns of it, to make smaller ones."""
    fake = FakeSocket(refusal)
    refusals = []
    sender = DatagramSender(fake, True, refusals.append)
    packets = packets_of(500, 3, 100)
    sender.send(packets)
    assert fake.datagrams == [b"".join(packet) for packet in packets]
    assert [error.errno for error in refusals] == [refusal]
    fake.refusal = None
    sender.send(packets)
    assert fake.messages == [b"".join(b"".join(packet) for packet in packets)]


@pytest.mark.parametrize("segmenting", [True, False])
def test_what_a_pending_icmp_message_kept_back_is_sent_once(segmenting):
    """A connected socket tells of an earlier packet's fate instead of sending the next one."""
    fake = PortWasClosed()
    refusals = []
    packets = packets_of(500, 3, 100)
    DatagramSender(fake, segmenting, refusals.append).send(packets)
    expected = b"".join(b"".join(packet) for packet in packets)
    assert b"".join(fake.messages + fake.datagrams) == expected
    assert [type(refusal) for refusal in refusals] == [ConnectionRefusedError]


class PortWasClosed(FakeSocket):
    """Refuses its second call, or its first if that is all: the kernel's errors come late."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def sendmsg(self, pieces, ancillary):
        self.calls += 1
        if self.calls == 1:
            raise ConnectionRefusedError(111, "refused")
        super().sendmsg(pieces, ancillary)

    def send(self, data):
        self.calls += 1
        if self.calls == 2:
            raise ConnectionRefusedError(111, "refused")
        super().send(data)


def test_only_linux_is_asked(monkeypatch):
    monkeypatch.setattr(datagrams.sys, "platform", "darwin")
    assert not kernel_can_segment()


class FullQueue(FakeSocket):
    def send(self, data):
        raise OSError(errno.ENOBUFS, "No buffer space available")


def test_a_full_queue_of_macos_is_no_closed_port():
    sender = DatagramSender(FullQueue(), False, refused)
    sender.send(packets_of(1000, 3, 1000))
    assert sender.dropped == 3
