"""What Wireshark measures in a capture is what the player shows."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from test_capture import ENDS, SETUP, SETUP_OK

from rtplab.player.model.traffic import Traffic
from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtsp.headers import Transport
from rtplab.protocol.rtsp.messages import InterleavedFrame
from rtplab.receiving.rtp.frames import RtpJpegFrames
from rtplab.receiving.rtp.impairment import Conditions
from rtplab.receiving.rtp.receiver import MediaReceiver
from rtplab.receiving.rtp.reception import Reception
from rtplab.receiving.rtp.rtpsocket import Batch

pytestmark = pytest.mark.peers

FRAMES = 400
PARTS = 7  # packets a frame
SETUP_TCP = SETUP.replace(b"AVP;unicast;client_port=5004-5005", b"AVP/TCP;interleaved=0-1")
SETUP_TCP_OK = SETUP_OK.replace(
    b"AVP;unicast;client_port=5004-5005;server_port=6000-6001", b"AVP/TCP;interleaved=0-1"
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ports:
    """Stands in for RtpSocket: datagrams come when they are due, and no time passes."""

    is_behind = False

    def __init__(self, clock: Clock, arrivals: list[tuple[float, bytes]]) -> None:
        self._clock, self._arrivals = clock, arrivals

    def send_rtp(self, data: bytes, port: int) -> None:
        """A lab server's client reports, too."""

    def receive(self, deadline: float | None) -> list[Batch] | None:
        following = self._arrivals[0][0] if self._arrivals else None
        due = min((when for when in (deadline, following) if when is not None), default=None)
        if due is None:
            return None
        self._clock.now = max(self._clock.now, due)
        if following is None or following > self._clock.now:
            return []
        return [Batch([self._arrivals.pop(0)[1]], 6000, False)]


def sent() -> list[tuple[float, bytes]]:
    """Packets of a 25 Hz movie and when they come.

    tshark counts what is lost by the first and the last packet to come, and has trouble with
    packets out of order where the numbers wrap. So the first and the last frame are one packet.
    """
    packets: list[tuple[float, bytes]] = []
    for frame in range(FRAMES):
        parts = PARTS if 0 < frame < FRAMES - 1 else 1
        for part in range(parts):
            number = 1000 + len(packets)
            header = pack_header(part == parts - 1, 26, number, 9000 + frame * 3600, 99)
            payload = bytes([0, 0, part, 0, 1, 80, 48, 36]) + bytes(256)
            packets.append((1000.0 + frame * 0.04 + part * 0.0004, header + payload))
    return packets


def played(conditions: Conditions, is_tcp: bool = False) -> tuple[MediaReceiver, Traffic]:
    clock, traffic = Clock(), Traffic(lambda: ENDS)
    receiver = MediaReceiver(
        Reception(RtpJpegFrames(26)),
        lambda frames: None,
        lambda: None,
        clock,
        lambda: 1_700_000_000 + clock.now,
    )
    receiver.observer, receiver.impairment.conditions = traffic, conditions
    if is_tcp:
        receiver.transport = Transport(interleaved=(0, 1))
    start = receiver._wall_time(clock.now) - 1
    traffic.message_sent(SETUP_TCP if is_tcp else SETUP, start)
    traffic.message_received(SETUP_TCP_OK if is_tcp else SETUP_OK, start + 0.1)
    receiver.let_in()
    if not is_tcp:
        receiver.listen(Ports(clock, sent()), with_rtcp=False)  # type: ignore[arg-type]
        return receiver, traffic
    for when, packet in sent():
        while (due := receiver.deadline(with_reports=False)) is not None and due <= when:
            clock.now = max(clock.now, due)
            receiver.release()
        clock.now = when
        receiver.take_interleaved(InterleavedFrame(0, packet))
    while (due := receiver.deadline(with_reports=False)) is not None:
        clock.now = max(clock.now, due)
        receiver.release()
    return receiver, traffic


def tshark(*arguments: object) -> str:
    program = shutil.which("tshark")
    if program is None:
        reason = "not installed: tshark"
        pytest.skip(reason)
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def streams(path) -> list[list[float]]:
    """Packets, lost ones and the largest jitter in ms of each RTP stream in a file."""
    found = []
    for line in tshark("-r", path, "-q", "-z", "rtp,streams").splitlines():
        if "0x00000063" in line:
            fields = re.sub(r"\(.*?\)", "", line.partition("JPEG")[2]).split()
            found.append([float(fields[index]) for index in (0, 1, 7)])
    return found


@pytest.mark.parametrize("is_tcp", [False, True], ids=["udp", "tcp"])
def test_loss_and_jitter_are_those_that_the_player_shows(tmp_path, is_tcp):
    conditions = Conditions(loss=0.05, delay=0.02, jitter=0.004, seed=3)
    receiver, traffic = played(conditions, is_tcp)
    traffic.save(tmp_path / "all.pcapng")
    names = tshark("-r", tmp_path / "all.pcapng", "-T", "fields", "-e", "frame.interface_name")
    assert set(names.split("\n")) == {"network", "dropped by the impairment", ""}
    assert names.count("dropped") == receiver.impairment.lost > 0
    first = tmp_path / "first.pcapng"
    tshark("-r", tmp_path / "all.pcapng", "-Y", "frame.interface_id == 0", "-w", first)
    statistics = receiver.reception.statistics
    assert statistics.lost == receiver.impairment.lost and statistics.reordered > 100
    (stream,) = streams(first)
    assert stream[:2] == [statistics.packets, statistics.lost]
    assert stream[2] == pytest.approx(1000 * statistics.max_jitter, abs=0.002)
    assert stream[2] > 2


def test_nothing_is_missing_from_both_interfaces_together(tmp_path):
    receiver, traffic = played(Conditions(loss=0.05, seed=3))
    traffic.save(tmp_path / "all.pcapng")
    (stream,) = streams(tmp_path / "all.pcapng")
    assert stream[:2] == [len(sent()), 0]
    assert receiver.reception.statistics.packets == len(sent()) - receiver.impairment.lost
