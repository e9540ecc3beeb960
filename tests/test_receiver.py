"""A session's RTP and RTCP from sockets to frames, without the sockets."""

from __future__ import annotations

import errno
import socket
import struct
import sys
import time
from contextlib import closing

import pytest
from processes import HOST

from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtp.rtcp import Bye, ReceiverReport, build_compound
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import InterleavedFrame
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtp.frames import LabAssembler
from rtplab.receiving.rtp.gate import MAX_EARLY, Passage
from rtplab.receiving.rtp.impairment import Conditions
from rtplab.receiving.rtp.receiver import MediaReceiver
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtp.rtpsocket import READINGS, Batch, RtpSocket

PATIENCE = 0.2
SSRC = 7
LIMIT = 10.0
UDP_SEGMENT = 103  # linux/udp.h


class Ports:
    """Stands in for RtpSocket: gives what it was given, and waits as that does."""

    is_behind = False

    def __init__(self, *batches):
        self._batches = list(batches)

    def send_rtp(self, data, port):
        """A lab server's client reports, too, and nobody reads it here."""

    def receive(self, deadline):
        if self._batches:
            return self._batches.pop(0)
        if deadline is None or deadline > time.monotonic() + 2 * PATIENCE:
            return None  # nothing more is to be done for now: then somebody would wake it
        time.sleep(max(0.0, min(LIMIT, deadline - time.monotonic())))
        return []


def rtp(number):
    packet = pack_header(0, 26, number, number * 4500, SSRC) + b"\xff\xd8%d\xff\xd9" % number
    return Batch([packet], 5000, False)


def goodbye():
    report = build_compound(ReceiverReport(SSRC, ()), "somebody", Bye((SSRC,)))
    return Batch([report], 5001, True)


def watched_receiver(at_the_end=lambda: None):
    """A receiver, and what happens to it, in order: the numbers of whole frames, and "bye"."""
    happened = []
    receiver = MediaReceiver(
        Reception(LabAssembler(), patience=PATIENCE),
        lambda frames: happened.extend(frame.number for frame in frames),
        lambda: (happened.append("bye"), at_the_end()),
    )
    return receiver, happened


def watched(*batches):
    """What happens, in order: the numbers of frames that are delivered, and "bye"."""
    receiver, happened = watched_receiver()
    receiver.let_in()
    ports = Ports(*batches)
    receiver.listen(ports, with_rtcp=False)
    return happened


def test_the_end_waits_for_media_that_came_before_it():
    """Each frame has another size: the kernel hands none of them over together."""
    receiver, happened = watched_receiver(lambda: ports.wake())
    receiver.let_in()
    frames = 3 * READINGS
    ports = RtpSocket(0, HOST, with_rtcp=True)
    with closing(ports), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        for number in range(1, frames + 1):
            (packet,) = rtp(number).datagrams
            server.sendto(packet[:-2] + bytes(number) + b"\xff\xd9", (HOST, ports.port))
        server.sendto(*goodbye().datagrams, (HOST, ports.port + 1))
        receiver.listen(ports, with_rtcp=False)
    assert happened == [*range(1, frames + 1), "bye"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands datagrams over together")
@pytest.mark.parametrize("is_told_early", [True, False], ids=["before", "between"])
def test_an_announced_end_waits_for_all_bursts_that_came_before_it(is_told_early):
    """Nothing arrives by RTCP: the server has announced it over the RTSP connection."""

    def take(frames):
        happened.extend(frame.number for frame in frames)
        if not receiver.reporter.sender_said_goodbye:
            announce()

    def announce():
        receiver.end()
        ports.look_up()

    happened: list[object] = []
    receiver = MediaReceiver(
        Reception(LabAssembler(), patience=PATIENCE),
        take,
        lambda: (happened.append("bye"), ports.wake()),
    )
    receiver.let_in()
    ports = RtpSocket(0, HOST, with_rtcp=True)
    with closing(ports), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        for first in (1, 4, 7):
            send_together(server, ports.port, range(first, first + 3))
        if is_told_early:
            announce()
        receiver.listen(ports, with_rtcp=False)
    assert happened == [*range(1, 10), "bye"]


def send_together(server, port, numbers):
    packets = [rtp(number).datagrams[0] for number in numbers]
    segments = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", len(packets[0])))]
    try:
        server.sendmsg(packets, segments, 0, (HOST, port))
    except OSError as error:
        assert error.errno in (errno.EINVAL, errno.EIO, errno.ENOPROTOOPT)
        pytest.skip("this kernel cuts no messages into datagrams")


def test_the_end_does_not_wait_for_a_flood():
    class Behind(Ports):
        is_behind = True

    receiver, happened = watched_receiver()
    receiver.let_in()
    batches = [[rtp(number)] for number in range(1, 200)]
    receiver.listen(Behind([goodbye()], *batches), with_rtcp=False)
    assert "bye" in happened


# --- Before the reply to PLAY -------------------------------------------------------------------


def asked(*batches, first=None, is_refused=False, before=Passage.SHUT):
    """What happens once PLAY is answered; the batches have come before."""
    receiver, happened = watched_receiver()
    if before is Passage.OPEN:
        receiver.let_in()
    receiver.hold()
    receiver.listen(Ports(*batches), with_rtcp=False)
    assert happened == []
    if is_refused:
        receiver.give_up()
    else:
        receiver.let_in(first)
    receiver.listen(Ports([]), with_rtcp=False)
    return happened, receiver


def test_what_is_swapped_before_the_reply_is_put_in_order_by_the_reply():
    assert asked([rtp(2)], [rtp(1)], [rtp(3)], first=1)[0] == [1, 2, 3]


def test_the_end_may_come_before_the_reply():
    assert asked([rtp(1)], [goodbye()], first=1)[0] == [1, "bye"]


def test_the_end_of_an_earlier_play_is_not_that_of_the_next():
    assert asked([goodbye()], before=Passage.OPEN)[0] == []


def test_what_came_before_a_refusal_is_not_shown_at_the_next_play():
    happened, receiver = asked([rtp(1)], is_refused=True)
    receiver.hold()
    receiver.let_in()
    receiver.listen(Ports([rtp(2)]), with_rtcp=False)
    assert happened == [2]


def test_a_refusal_does_not_swallow_the_end():
    assert asked([goodbye()], is_refused=True, before=Passage.OPEN)[0] == ["bye"]


def test_what_waits_for_the_reply_is_bounded():
    packet = pack_header(0, 26, 1, 0, SSRC)
    batches = [[Batch([packet + bytes(60_000)] * 64, 5000, False)]] * 20
    _, receiver = asked(*batches, is_refused=True)
    receiver.hold()
    receiver.listen(Ports(*batches), with_rtcp=False)
    held = sum(len(packet) for packets, _ in receiver._gate.early for packet in packets)
    assert MAX_EARLY / 2 < held < MAX_EARLY


def test_goodbye_ends_the_stream_at_once_when_all_has_come():
    assert watched([rtp(1), rtp(2)], [goodbye()]) == [1, 2, "bye"]


def test_what_is_held_back_for_a_lost_packet_is_delivered_before_goodbye():
    assert watched([rtp(1), rtp(3), rtp(4)], [goodbye()]) == [1, 3, 4, "bye"]


def test_a_late_packet_is_still_waited_for_after_goodbye():
    assert watched([rtp(1), rtp(3)], [goodbye()], [rtp(2)]) == [1, 2, 3, "bye"]


def test_what_is_delayed_on_purpose_comes_out_by_tcp_although_nothing_more_arrives():
    receiver, happened = watched_receiver()
    receiver.let_in()
    receiver.transport = Transport(interleaved=(0, 1))
    receiver.impairment.conditions = Conditions(delay=0.05)
    report_due = receiver.reporter.due
    assert receiver.deadline(with_reports=True) == report_due
    assert receiver.deadline(with_reports=False) is None
    before = time.monotonic()
    for channel, batch in ((0, rtp(1)), (0, rtp(3)), (1, goodbye())):
        receiver.take_interleaved(InterleavedFrame(channel, batch.datagrams[0]))
    receiver.release()
    assert happened == []
    assert receiver.deadline(with_reports=True) == report_due, "whichever is first"
    while (moment := receiver.deadline(with_reports=False)) is not None:
        time.sleep(max(0.0, moment - time.monotonic()))
        receiver.release()
    assert happened == [1, 3, "bye"]
    assert time.monotonic() - before >= 0.05 + PATIENCE, "one packet was missing"


# --- Who looks on --------------------------------------------------------------------------------


class Seen(Observer):
    def __init__(self):
        self.received = []

    def packets_received(self, packets, source_port, is_rtcp, when):
        self.received += [(packet, source_port, is_rtcp) for packet in packets]


def test_who_looks_on_sees_what_the_bad_network_has_let_through() -> None:
    receiver = MediaReceiver(Reception(LabAssembler()), lambda frames: None, lambda: None)
    receiver.impairment.conditions = Conditions(loss=0.3, reorder=0.1)
    receiver.observer = seen = Seen()
    receiver.let_in()
    batches = [[rtp(number)] for number in range(200)]
    receiver.listen(Ports(*batches, [goodbye()]), with_rtcp=False)
    media = [packet for packet, port, is_rtcp in seen.received if not is_rtcp]
    assert {port for _, port, is_rtcp in seen.received if not is_rtcp} == {5000}
    assert len(media) == receiver.reception.statistics.packets == 200 - receiver.impairment.lost


def test_packets_have_the_wall_clocks_time_and_the_distances_of_ours():
    """Whatever small steps the wall clock makes; when it was set, they follow it."""
    now, wall = [10.0], [1000.0]
    receiver = MediaReceiver(
        Reception(LabAssembler()), lambda _: None, lambda: None, lambda: now[0], lambda: wall[0]
    )
    times = []
    for ours, theirs in ((10.0, 1000.0), (11.0, 1001.02), (12.0, 5000.0), (13.0, 5001.01)):
        now[0], wall[0] = ours, theirs
        times.append(receiver._wall_time(ours))
    assert times == [1000.0, 1001.0, 5000.0, 5001.0]
