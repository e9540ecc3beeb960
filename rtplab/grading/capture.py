"""A recording as a capture file, for Wireshark."""

from __future__ import annotations

from pathlib import Path

from rtplab.grading.model.recording import Recording
from rtplab.receiving.files.pcapng import Endpoint, PcapngWriter

HOST = "127.0.0.1"
RTP_PORT = 5004
"""The addresses of packets that were made but not sent."""


def write_capture(recording: Recording, path: Path) -> bool:
    """Write the traffic, and packets that `encode` made as if they had been sent.

    Return False, and write no file, if there is neither. Raises OSError.
    """
    made = [event for event in recording.of("packet.encode") if event.get("packet")]
    on_wire = made or recording.of("tcp.in", "tcp.out", "udp.in", "udp.out")
    if not on_wire:
        return False
    started = float(recording.facts.get("wall", 0.0))
    theirs, ours = _ends(recording)
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for event in on_wire:
            when = started + event.time
            if event.kind == "packet.encode":
                place = Endpoint(HOST, RTP_PORT)
                writer.udp(place, place, bytes(event["packet"]), when)
                continue
            data = bytes(event["data"])
            if event.kind in ("udp.in", "udp.out"):
                source = Endpoint(HOST, int(event["source"]))
                writer.udp(source, Endpoint(HOST, int(event["port"])), data, when)
                continue
            number = event["connection"]
            ends = theirs.get(number), ours.get(number)
            if ends[0] is None or ends[1] is None:
                continue
            if event.kind == "tcp.in":
                writer.tcp(ends[0], ends[1], data, when)
            else:
                writer.tcp(ends[1], ends[0], data, when)
    return True


def _ends(recording: Recording) -> tuple[dict[int, Endpoint], dict[int, Endpoint]]:
    """For each connection, the submission's end and ours."""
    theirs: dict[int, Endpoint] = {}
    ours: dict[int, Endpoint] = {}
    for event in recording.of("tcp.accepted", "tcp.connected"):
        number, source = int(event["connection"]), Endpoint(HOST, int(event["source"]))
        server = Endpoint(HOST, int(event["port"]))
        if event.kind == "tcp.accepted":
            theirs[number], ours[number] = source, server
        else:
            theirs[number], ours[number] = server, source
    return theirs, ours
