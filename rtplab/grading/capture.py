"""A recording as a capture file, for Wireshark."""

from __future__ import annotations

from pathlib import Path

from rtplab.grading.model.recording import Recording
from rtplab.receiving.files.pcapng import Endpoint, PcapngWriter

HOST = "127.0.0.1"


def write_capture(recording: Recording, path: Path) -> bool:
    """Write what went over the wire; False, and no file, if nothing did. Raises OSError."""
    on_wire = recording.of("tcp.in", "tcp.out", "udp.in", "udp.out")
    if not on_wire:
        return False
    started = float(recording.facts.get("wall", 0.0))
    theirs, ours = _ends(recording)
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        for event in on_wire:
            when = started + event.time
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
    """Of each connection, the submission's end and ours."""
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
