"""How much memory a player takes whatever comes, each time in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from movies import ROOT
from standard_servers import StandardServer

MAX_MEMORY = 300  # MB
SECONDS = 3.0
LIMIT = 60.0

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc"),
]

# As a window does whose user has paused, or that is not drawn: nobody takes the frames.
PLAYER = """
import json, sys, time
from Client import Client
from rtplab.receiving.rtp.impairment import parse_conditions
from rtplab.receiving.files.observer import Observer
class Count(Observer):
    packets = 0
    def packets_received(self, packets, source_port, is_rtcp, when):
        Count.packets += len(packets)
url, transport, latency, conditions, seconds = sys.argv[1:]
client = Client(None, "", 0, 0, url, transport)
client.for_window = True
client.observer = Count()
client.playout.latency = float(latency)
client.impairment.conditions = parse_conditions(conditions)
client.setupMovie()
assert client.wait_for(lambda: client.state is Client.READY, 10.0), client.error
client.playout.hold()
client.playMovie()
time.sleep(float(seconds))
status = open("/proc/self/status").read()
packets = Count.packets
client.close()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([packets, peak]))
"""


def payload(offset: int, size: int) -> bytes:
    """A piece of a picture of 2,040 x 2,040 pixels, as RFC 2435 has it. It is never decoded."""
    return offset.to_bytes(4, "big") + bytes([1, 80, 255, 255]) + bytes(size)


def picture(size: int, piece: int) -> list[bytes]:
    return [payload(offset, min(piece, size - offset)) for offset in range(0, size, piece)]


class Flood(StandardServer):
    """Sends pictures for ever, as fast as they are taken."""

    def stream(self, viewer):
        while not viewer.stop.is_set():
            viewer.position = 0
            for packet in self.packets(viewer):
                viewer.send_rtp(packet)
            viewer.sent += 1


class Holes(Flood):
    """No packet is followed by the next one: all wait for what is missing."""

    def packets(self, viewer):
        for packet in super().packets(viewer):
            viewer.sequence += 1
            yield packet


class NeverAnswers(Flood):
    """Sends what PLAY asks for, and no reply to it."""

    def do_PLAY(self, viewer, request):
        viewer.start()


LARGE = picture(8_000_000, 60_000)
SMALL = picture(100, 100)
SCANTY = [payload(0, 0)] * 2000


def peak_of(server, transport="tcp", latency=0.1, conditions="", seconds=SECONDS):
    """The packets that came, and the most memory that the player took, in MB."""
    arguments = (server.url, transport, str(latency), conditions, str(seconds))
    output = subprocess.run(
        [sys.executable, "-c", PLAYER, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=LIMIT,
        check=True,
    ).stdout
    packets, peak = json.loads(output)
    assert packets > 100
    return peak


@pytest.mark.parametrize(
    ("kind", "pieces", "options"),
    [
        (Flood, LARGE, {}),
        (Flood, LARGE, {"conditions": "delay=2s"}),
        (Flood, SCANTY, {"conditions": "delay=2s"}),
        (Flood, SMALL, {"transport": "udp"}),
        (Holes, LARGE, {"latency": 10.0}),
        (Holes, SCANTY, {"transport": "udp", "latency": 10.0}),
        (Holes, LARGE, {"latency": 10.0, "conditions": "delay=2s,jitter=1s"}),
        (NeverAnswers, LARGE, {}),
    ],
)
def test_nothing_that_comes_fills_the_memory(kind, pieces, options):
    with kind([pieces]) as server:
        peak = peak_of(server, **options)
    assert peak < MAX_MEMORY
