"""Capture files: golden bytes, and what tshark makes of them."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import lacks

from rtplab.player.model.traffic import (
    MAX_MESSAGE_BYTES,
    MAX_MESSAGES,
    MAX_PACKET_BYTES,
    UNWATCHED_BYTES,
    Seen,
    Traffic,
    is_media,
)
from rtplab.protocol.rtp.packet import pack_header
from rtplab.receiving.files.capture import (
    CapturedMessage,
    CapturedPacket,
    Endpoints,
    LiveCapture,
    write_capture,
)
from rtplab.receiving.files.pcapng import Endpoint, Interface, PcapngWriter
from rtplab.receiving.files.wholefile import WholeFile

ENDS = Endpoints(Endpoint("127.0.0.1", 554), Endpoint("127.0.0.1", 40000), 5004)
ENDS6 = Endpoints(Endpoint("::1", 554), Endpoint("::1", 40000), 5004)
SETUP = (
    b"SETUP rtsp://127.0.0.1/m RTSP/1.0\r\nCSeq: 1\r\n"
    b"Transport: RTP/AVP;unicast;client_port=5004-5005\r\n\r\n"
)
SETUP_OK = (
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 1\r\n"
    b"Transport: RTP/AVP;unicast;client_port=5004-5005;server_port=6000-6001\r\n\r\n"
)


def entries(ends=ENDS, server_port=6000) -> list[CapturedMessage | CapturedPacket]:
    rtp = [
        CapturedPacket(
            pack_header(1, 26, 7 + n, 4500 * n, 99) + b"\0" * 20, server_port, False, 3.0 + n, ends
        )
        for n in range(3)
    ]
    return [
        *rtp,
        CapturedMessage(False, SETUP_OK, 2.000002, ends),
        CapturedMessage(True, SETUP, 1.5, ends),
    ]


def test_a_datagram_byte_by_byte():
    file = io.BytesIO()
    PcapngWriter(file).udp(Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), b"abc", 3.000004)
    assert file.getvalue().hex(" ") == (
        # section header, then the interface "network"
        "0a 0d 0d 0a 1c 00 00 00 4d 3c 2b 1a 01 00 00 00 ff ff ff ff ff ff ff ff 1c 00 00 00 "
        "01 00 00 00 24 00 00 00 65 00 00 00 00 00 04 00 "
        "02 00 07 00 6e 65 74 77 6f 72 6b 00 00 00 00 00 24 00 00 00 "
        # the packet: interface 0, 3,000,004 microseconds, 31 bytes
        "06 00 00 00 40 00 00 00 00 00 00 00 00 00 00 00 c4 c6 2d 00 1f 00 00 00 1f 00 00 00 "
        "45 00 00 1f 00 01 00 00 40 11 66 cb 0a 00 00 01 0a 00 00 02 "
        "00 01 00 02 00 0b 27 70 61 62 63 00 40 00 00 00"
    )


def test_the_interface_of_what_was_dropped_stands_before_its_first_packet():
    file, ends = io.BytesIO(), (Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2))
    writer = PcapngWriter(file)
    writer.udp(*ends, b"one", 1.0)
    assert b"dropped" not in file.getvalue()
    for _ in range(2):
        writer.udp(*ends, b"two", 2.0, Interface.DROPPED)
    assert file.getvalue().count(b"dropped by the impairment") == 1
    assert [block[0] for block in _blocks(file.getvalue())] == [0x0A0D0D0A, 1, 6, 1, 6, 6]


hosts = st.sampled_from([("10.0.0.1", "10.0.0.2"), ("::1", "fe80::1%eth0")])
sayings = st.lists(st.tuples(st.booleans(), st.booleans(), st.binary(max_size=40_000)), max_size=6)


@given(hosts, sayings, st.integers(0, 2**32 * 1_000_000 - 1))
def test_what_is_written_is_in_the_file_in_any_order(hosts, sayings, microseconds):
    one, other = Endpoint(hosts[0], 554), Endpoint(hosts[1], 40_000)
    file, said = io.BytesIO(), {}
    writer = PcapngWriter(file)
    for is_udp, from_one, payload in sayings:
        source, target = (one, other) if from_one else (other, one)
        (writer.udp if is_udp else writer.tcp)(source, target, payload, microseconds / 1_000_000)
        said.setdefault((is_udp, from_one), []).append(payload)
    read = {}
    for is_udp, from_one, payload in _payloads(file.getvalue(), 20 if "." in hosts[0] else 40):
        read.setdefault((is_udp, from_one), []).append(payload)
    assert {key: b"".join(parts) for key, parts in read.items() if any(parts)} == {
        key: b"".join(parts) for key, parts in said.items() if any(parts)
    }


def _payloads(data, ip_header):
    """Of every record: whether it is UDP, whether it comes from port 554, and what it carries."""
    found = []
    for kind, body in _blocks(data):
        if kind != 6:
            continue
        length, original = struct.unpack_from("<II", body, 12)
        packet = body[20 : 20 + length]
        assert len(packet) == original == length
        is_udp = packet[9 if ip_header == 20 else 6] == 17
        begin = ip_header + (8 if is_udp else 20)
        (port,) = struct.unpack_from("!H", packet, ip_header)
        found.append((is_udp, port == 554, packet[begin:]))
    return found


def _blocks(data):
    """The type and the body of every block."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert data[at + length - 4 : at + length] == struct.pack("<I", length) and length % 4 == 0
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def tshark(path, *arguments: str) -> list[str]:
    program = shutil.which("tshark")
    if program is None:
        reason = "not installed: tshark"
        pytest.skip(reason)
    run = subprocess.run(
        [program, "-r", str(path), "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
         "-o", "tcp.check_checksum:TRUE", *arguments],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return run.stdout.splitlines()


@pytest.mark.peers
@pytest.mark.parametrize("ends", [ENDS, ENDS6])
def test_tshark_reads_rtsp_and_rtp(tmp_path, ends):
    path = tmp_path / "session.pcap"
    with open(path, "wb") as file:
        write_capture(file, entries(ends))
    assert tshark(path, "-Y", "rtsp.request", "-T", "fields", "-e", "rtsp.method") == ["SETUP"]
    assert tshark(path, "-Y", "rtsp.response", "-T", "fields", "-e", "rtsp.status") == ["200"]
    fields = ("-e", "rtp.seq", "-e", "rtp.p_type", "-e", "frame.time_epoch")
    rows = [row.split("\t") for row in tshark(path, "-Y", "rtp", "-T", "fields", *fields)]
    assert [(row[0], row[1], float(row[2])) for row in rows] == [
        ("7", "26", 3.0), ("8", "26", 4.0), ("9", "26", 5.0)
    ]  # fmt: skip
    bad = "ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0"
    assert tshark(path, "-Y", f"{bad} || tcp.analysis.flags") == []


@pytest.mark.peers
def test_tshark_reads_rtp_on_the_rtsp_connection(tmp_path):
    path = tmp_path / "session.pcap"
    setup = SETUP.replace(b"AVP;unicast;client_port=5004-5005", b"AVP/TCP;interleaved=0-1")
    reply = SETUP_OK.replace(
        b"AVP;unicast;client_port=5004-5005;server_port=6000-6001", b"AVP/TCP;interleaved=0-1"
    )
    packets = [entry for entry in entries(server_port=0) if isinstance(entry, CapturedPacket)]
    messages = [CapturedMessage(True, setup, 1.0, ENDS), CapturedMessage(False, reply, 1.1, ENDS)]
    with open(path, "wb") as file:
        write_capture(file, [*messages, *packets])
    assert tshark(path, "-Y", "rtp", "-T", "fields", "-e", "rtp.seq") == ["7", "8", "9"]


@pytest.mark.parametrize(("is_rtcp", "sent", "channel"), [(False, False, 10), (True, True, 11)])
def test_packets_on_the_rtsp_connection_have_the_channels_of_setup(is_rtcp, sent, channel):
    file = io.BytesIO()
    ends = dataclasses.replace(ENDS, channels=(10, 11))
    write_capture(file, [CapturedPacket(b"packet", 0, is_rtcp, 1.0, ends, sent)])
    written = file.getvalue()
    packet = _blocks(written)[-1][1][20:-2]  # two bytes of padding
    assert packet.endswith(b"$" + bytes([channel, 0, 6]) + b"packet")
    ports = (ENDS.client.port, ENDS.server.port) if sent else (ENDS.server.port, ENDS.client.port)
    assert struct.pack("!HH", *ports) == packet[20:24]


def test_a_report_of_ours_goes_from_our_port_to_the_servers():
    file = io.BytesIO()
    write_capture(file, [CapturedPacket(b"report", 6001, True, 1.0, ENDS, sent=True)])
    packet = _blocks(file.getvalue())[-1][1][20:]
    assert packet[20:24] == struct.pack("!HH", ENDS.rtp_port + 1, 6001)


def test_a_live_capture_is_the_same_and_tells_others(tmp_path):
    also = Traffic(lambda: ENDS)
    also.watching = True
    live = LiveCapture(tmp_path / "live.pcap")
    observer = live.observe(lambda: ENDS, also)
    observer.message_sent(SETUP, 1.5)
    observer.message_received(SETUP_OK, 2.000002)
    for entry in entries()[:3]:
        observer.packets_received([entry.data], entry.server_port, entry.is_rtcp, entry.when)
    live.close()
    live.close()
    observer.message_sent(SETUP, 9.0)  # a thread that has not heard of the end yet
    expected = io.BytesIO()
    write_capture(expected, entries())
    assert (tmp_path / "live.pcap").read_bytes() == expected.getvalue()
    assert len(also.messages) == 3
    assert len(also.packets) == 3


def test_a_disk_that_is_full_from_the_beginning_is_told_then():
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match="No space left"):
        LiveCapture(Path("/dev/full"))


def test_a_disk_that_becomes_full_is_a_sentence(tmp_path, monkeypatch):
    def write(file, piece):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    live = LiveCapture(tmp_path / "full.pcap")
    observer = live.observe(lambda: ENDS)
    observer.message_sent(SETUP, 1.0)
    whole = (tmp_path / "full.pcap").read_bytes()
    monkeypatch.setattr(WholeFile, "write", write)
    observer.message_sent(SETUP, 2.0)
    observer.message_sent(SETUP, 3.0)
    live.close()
    assert not lacks(live.error, "capture", "No space left on device")
    assert (tmp_path / "full.pcap").read_bytes() == whole


def test_traffic_keeps_the_newest_packets_though_nobody_watches(tmp_path):
    traffic = Traffic(lambda: ENDS)
    traffic.message_sent(SETUP, 0.5)
    for number in range(100):
        traffic.packets_received([bytes([number]) * 60_000] * 5, 1, False, float(number))
    kept = traffic.packets
    assert 0.9 * UNWATCHED_BYTES < sum(len(packet.data) for packet in kept) <= UNWATCHED_BYTES
    assert [packet.data[0] for packet in kept[-6:]] == [98, *[99] * 5]
    told = traffic.save(tmp_path / "capture.pcapng")
    assert traffic.has_forgotten_after(Seen(0, 100)) and not traffic.has_forgotten_after(
        Seen(0, 400)
    )
    assert f"1 messages and {len(kept)} packets" in told.replace(",", "")
    assert f"the oldest {500 - len(kept)} packets" in told
    blocks = _blocks((tmp_path / "capture.pcapng").read_bytes())
    assert [kind for kind, _ in blocks].count(6) == 3 + 1 + len(kept)  # with the handshake


def test_traffic_tells_what_has_come_since():
    traffic = Traffic(lambda: ENDS)
    traffic.packets_received([b"a", b"b"], 1, False, 1.0)
    traffic.message_sent(SETUP, 0.5)
    entries, seen = traffic.after(Seen())
    assert [entry.data for entry in entries] == [SETUP, b"a", b"b"]
    assert traffic.after(seen) == ([], seen)
    traffic.packets_dropped([b"c"], 1, 2.0)
    traffic.packets_received([b"d"], 1, True, 3.0)
    entries, seen = traffic.after(seen)
    assert [entry.data for entry in entries] == [b"d"]
    assert seen == Seen(1, 4) and traffic.oldest_packet == 1.0
    assert not traffic.has_forgotten_after(Seen())
    assert traffic.newest(is_media).data == b"b"


def test_traffic_keeps_what_was_forgiven_between_the_messages_but_not_in_a_capture(tmp_path):
    traffic = Traffic(lambda: ENDS)
    traffic.message_sent(b"one", 1.0)
    traffic.forgave("Two.", 2.0)
    traffic.message_received(b"three", 3.0)
    assert [entry.when for entry in traffic.story] == [1.0, 2.0, 3.0]
    assert [message.data for message in traffic.messages] == [b"one", b"three"]
    assert traffic.message_count == 3
    told = traffic.save(tmp_path / "capture.pcap")
    assert not lacks(told, "2 messages", "0 packets") and "oldest" not in told


def test_traffic_is_bounded():
    traffic = Traffic(lambda: ENDS)
    traffic.watching = True
    packet = bytes(60_000)
    for number in range(MAX_PACKET_BYTES // len(packet) + 50):
        traffic.packets_received([packet], 1, False, float(number))
    assert sum(len(entry.data) for entry in traffic.packets) <= MAX_PACKET_BYTES
    for number in range(500):
        traffic.message_received(b"RTSP/1.0 200 OK\r\n" + bytes(64 * 1024), float(number))
    assert 0 < sum(len(entry.data) for entry in traffic.messages) <= MAX_MESSAGE_BYTES
    for number in range(600):
        traffic.message_received(b"RTSP/1.0 200 OK\r\n\r\n", float(number))
    assert len(traffic.messages) == MAX_MESSAGES
    assert traffic.message_count == 1100


def test_the_last_exchange_is_the_one_that_changed_the_state():
    traffic = Traffic(lambda: ENDS)
    assert traffic.last_exchange() == ("", "")
    traffic.message_sent(b"PLAY m RTSP/1.0\r\nCSeq: 2\r\n\r\n", 1.0)
    assert traffic.last_exchange() == ("PLAY m RTSP/1.0", "")
    traffic.message_received(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n", 1.1)
    traffic.message_sent(b"GET_PARAMETER m RTSP/1.0\r\nCSeq: 3\r\n\r\n", 2.0)
    traffic.message_received(b"RTSP/1.0 501 Not Implemented\r\nCSeq: 3\r\n\r\n", 2.1)
    assert traffic.last_exchange() == ("PLAY m RTSP/1.0", "RTSP/1.0 200 OK")
