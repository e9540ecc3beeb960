"""The payload of RTP packets as FFmpeg and cameras make them (RFC 3550 section 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import lacks

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.receiving.rtp.frames import LabAssembler
from rtplab.receiving.rtp.reception import Reception

PAYLOAD = b"\xff\xd8payload\xff\xd9"


def wire(first_byte, rest):
    """A packet off the wire: its first byte, number 0x1234, SSRC 5, and what follows 12 bytes."""
    return bytes([first_byte]) + bytes.fromhex("1a 1234 00000000 00000005") + rest


def test_a_plain_packet():
    packet = parse_packet(wire(0x80, PAYLOAD))
    assert packet == (PAYLOAD, 0x1234, 0, 5, 26, False, 2, b"")


def test_the_marker_is_not_of_the_payload_type():
    packet = parse_packet(b"\x80\xe0" + bytes(10))
    assert (packet.marker, packet.payload_type) == (True, 96)


@pytest.mark.parametrize("count", [1, 2, 15])
def test_sources_are_taken_off(count):
    data = wire(0x80 | count, bytes(range(4 * count)) + PAYLOAD)
    assert parse_packet(data).payload == PAYLOAD


@pytest.mark.parametrize("words", [0, 1, 3])
def test_extension_is_taken_off(words):
    data = wire(0x90, b"\xbe\xde" + bytes([0, words]) + bytes(4 * words) + PAYLOAD)
    assert parse_packet(data).payload == PAYLOAD


@pytest.mark.parametrize("length", [1, 4, 255])
def test_padding_is_taken_off(length):
    data = wire(0xA0, PAYLOAD + bytes(length - 1) + bytes([length]))
    assert parse_packet(data).payload == PAYLOAD


def test_sources_extension_and_padding_together():
    data = wire(0xB1, b"\xff" * 4 + b"\xbe\xde\x00\x01\xff\xff\xff\xff" + PAYLOAD + b"\x00\x02")
    assert parse_packet(data).payload == PAYLOAD


def test_nothing_but_padding():
    assert parse_packet(wire(0xA0, b"\x00\x00\x03")).payload == b""


@pytest.mark.parametrize("version", [0, 1, 3])
def test_of_another_version_all_that_follows_12_bytes_is_payload(version):
    assert parse_packet(wire(version << 6 | 0x3F, PAYLOAD)).payload == PAYLOAD


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes, too few"),
        (bytes(11), "11 bytes, too few"),
        ("81", "packet 4660, extension, beyond"),
        ("8f", "packet 4660, extension, beyond"),
        ("90", "packet 4660, extension, beyond"),
        ("90 bede", "packet 4660, extension, beyond"),
        ("90 bede0001", "packet 4660, extension, beyond"),
        ("90 bedeffff 00000000", "packet 4660, extension, beyond"),
        ("91 00000000 bede", "packet 4660, extension, beyond"),
        ("a0 00", "packet 4660, 0 bytes of padding"),
        ("a0 000003", None),
        ("90 bede0000", None),
        ("81 00000007", None),
        ("a0 000004", "packet 4660, 4 bytes of padding"),
        ("a1 00000001 02", "packet 4660, 2 bytes of padding"),
        ("a0", "packet 4660, 5 bytes of padding"),
    ],
)
def test_malformed(data, message):
    if isinstance(data, str):
        first, _, rest = data.partition(" ")
        data = wire(int(first, 16), bytes.fromhex(rest))
    if message is None:
        assert parse_packet(data).payload == b""
        return
    with pytest.raises(PacketError) as caught:
        parse_packet(data)
    assert not lacks(str(caught.value), *message.split(", "))


@pytest.mark.parametrize(
    "packet",
    [
        wire(0xA0, PAYLOAD + b"\x00\x02"),
        wire(0x90, b"\xbe\xde\x00\x01\xff\xff\xff\xff" + PAYLOAD),
        wire(0x82, bytes(8) + PAYLOAD),
    ],
    ids=["padding", "extension", "sources"],
)
def test_the_player_shows_what_real_senders_send(packet):
    [frame] = Reception(LabAssembler()).receive([packet], 0.0)
    assert frame.data == PAYLOAD


def test_what_contradicts_itself_is_counted():
    reception = Reception(LabAssembler())
    assert reception.receive([wire(0x8F, PAYLOAD)], 0.0) == []
    assert reception.malformed == 1


@given(st.binary(max_size=100))
def test_any_bytes_have_a_payload_or_are_a_packet_error(data):
    try:
        payload = parse_packet(data).payload
    except PacketError:
        return
    assert payload in data[12:]


@pytest.mark.parametrize(
    ("profile", "segments", "kept"),
    [
        (b"\xff\xd8", b"\xff\xdd\0\4\0\7\xff\xff", b"\xff\xdd\0\4\0\7\xff\xff"),
        (b"\xbe\xde", b"\xff\xdd\0\4\0\7\xff\xff", b""),
        (b"\xff\xd8", bytes(2000), b""),
    ],
)
def test_jpeg_segments_in_an_extension_are_kept_if_they_are_few(profile, segments, kept):
    data = wire(0x90, profile + (len(segments) // 4).to_bytes(2, "big") + segments + PAYLOAD)
    packet = parse_packet(data)
    assert (packet.payload, packet.jpeg_extension) == (PAYLOAD, kept)
