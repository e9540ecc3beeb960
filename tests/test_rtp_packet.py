"""The RTP packet: the classic API bit for bit, and what comes off the wire (RFC 3550 section 5)."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import RtpPacket as module
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import pack_header
from RtpPacket import HEADER_SIZE, RtpPacket

PAYLOAD = b"\xff\xd8payload\xff\xd9"


def encoded(*arguments, **options):
    packet = RtpPacket()
    packet.encode(*arguments, **options)
    return packet


def decoded(data):
    packet = RtpPacket()
    packet.decode(data)
    return packet


class TestEncode:
    def test_golden_header_of_the_lab(self):
        packet = encoded(2, 0, 0, 0, 1, 0, 26, 0, PAYLOAD, 0x01020304)
        header = bytes.fromhex("80 1a 00 01 01 02 03 04 00 00 00 00")
        assert packet.getPacket() == header + PAYLOAD
        assert bytes(packet.header) == header
        assert HEADER_SIZE == len(header) == 12

    def test_golden_header_with_every_field(self):
        packet = encoded(1, 1, 1, 5, 0xBEEF, 1, 0x55, 0xCAFEBABE, b"", 0xDEADBEEF)
        assert packet.getPacket() == bytes.fromhex("75 d5 be ef de ad be ef ca fe ba be")

    @pytest.mark.parametrize(
        ("field", "bit"),
        [
            ("version", 0x80 << 24),
            ("padding", 0x20 << 24),
            ("extension", 0x10 << 24),
            ("cc", 0x01 << 24),
            ("marker", 0x80 << 16),
            ("pt", 0x01 << 16),
            ("seqnum", 0x0001),
        ],
    )
    def test_each_field_has_its_place(self, field, bit):
        fields = dict.fromkeys("version padding extension cc seqnum marker pt ssrc".split(), 0)
        fields[field] = 2 if field == "version" else 1
        packet = encoded(**fields, payload=b"", timestamp=0).getPacket()
        assert struct.unpack("!III", packet) == (bit, 0, 0)

    def test_counters_wrap_at_their_width(self):
        packet = encoded(2, 0, 0, 0, 65536 + 7, 0, 26, 2**32 + 9, b"", 2**32 + 8)
        assert (packet.seqNum(), packet.timestamp(), packet.ssrc()) == (7, 8, 9)

    def test_fields_that_are_too_large_touch_no_other(self):
        packet = encoded(7, 3, 3, 31, 0, 3, 255, 0, b"", 0)
        assert packet.getPacket() == bytes.fromhex("ff ff 0000 00000000 00000000")

    def test_without_a_timestamp_it_is_the_wall_clock_in_seconds(self, monkeypatch):
        monkeypatch.setattr(module, "time", lambda: 1_700_000_000.9)
        assert encoded(2, 0, 0, 0, 1, 0, 26, 0, b"").timestamp() == 1_700_000_000

    def test_the_wall_clock_is_the_real_one(self):
        before = int(time.time())
        assert before <= encoded(2, 0, 0, 0, 1, 0, 26, 0, b"").timestamp() <= time.time()

    def test_a_new_packet_is_empty(self):
        assert RtpPacket().getPacket() == bytes(12)
        assert RtpPacket().getPayload() == b""

    @given(
        st.integers(0, 1),
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
    )
    def test_the_short_way_gives_the_same_bytes(self, marker, pt, seqnum, timestamp, ssrc):
        packet = encoded(2, 0, 0, 0, seqnum, marker, pt, ssrc, b"", timestamp)
        assert pack_header(marker, pt, seqnum, timestamp, ssrc) == packet.getPacket()


class TestDecode:
    def test_golden(self):
        packet = decoded(bytes.fromhex("80 9a be ef 01 02 03 04 ca fe ba be") + PAYLOAD)
        assert packet.version() == 2
        assert packet.marker() == 1
        assert packet.payloadType() == 26
        assert packet.seqNum() == 0xBEEF
        assert packet.timestamp() == 0x01020304
        assert packet.ssrc() == 0xCAFEBABE
        assert packet.getPayload() == PAYLOAD

    def test_a_header_alone_has_no_payload(self):
        assert decoded(bytes.fromhex("801a 0001 00000000 00000000")).getPayload() == b""

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_kind_of_bytes(self, kind):
        packet = decoded(kind(bytes.fromhex("801a 0001 00000000 00000000") + PAYLOAD))
        assert packet.getPayload() == PAYLOAD
        assert isinstance(packet.getPayload(), bytes)

    @pytest.mark.parametrize("length", [0, 11])
    def test_what_is_shorter_than_a_header_is_no_packet(self, length):
        with pytest.raises(PacketError, match=f"{length} bytes"):
            decoded(bytes(length))

    def test_the_classic_round_trip(self):
        data = encoded(2, 0, 0, 0, 7, 0, 26, 0, PAYLOAD, 123).getPacket()
        assert decoded(data).getPacket() == data

    @pytest.mark.parametrize(
        ("padding", "extension", "cc"), [(1, 0, 0), (0, 1, 0), (0, 0, 5), (1, 1, 15)]
    )
    def test_padding_extension_and_sources_come_back_as_they_were_encoded(
        self, padding, extension, cc
    ):
        """The textbook cuts at byte 12 and changes nothing, whatever the bits announce."""
        sent = encoded(2, padding, extension, cc, 7, 1, 26, 9, PAYLOAD, 123)
        received = decoded(sent.getPacket())
        assert received.header == sent.header
        assert received.getPayload() == PAYLOAD
        assert received.getPacket() == sent.getPacket()

    def test_the_header_can_be_read_on_the_class_and_is_nobody_elses(self):
        assert bytes(RtpPacket.header) == bytes(HEADER_SIZE)
        one, other = RtpPacket(), RtpPacket()
        one.header[0] = 0xFF
        encoded(2, 1, 1, 1, 1, 1, 1, 1, b"x", 1)
        assert bytes(other.header) == bytes(RtpPacket.header) == bytes(HEADER_SIZE)


@given(
    st.integers(0, 1),
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=64),
)
def test_what_is_encoded_is_decoded(marker, pt, seqnum, ssrc, timestamp, payload):
    packet = decoded(encoded(2, 0, 0, 0, seqnum, marker, pt, ssrc, payload, timestamp).getPacket())
    assert packet.version() == 2
    assert packet.marker() == marker
    assert packet.payloadType() == pt
    assert packet.seqNum() == seqnum
    assert packet.timestamp() == timestamp
    assert packet.ssrc() == ssrc
    assert packet.getPayload() == payload


@given(st.binary(min_size=HEADER_SIZE, max_size=100))
def test_any_packet_comes_back_byte_by_byte(data):
    packet = decoded(data)
    assert packet.getPacket() == data
    assert packet.getPayload() == data[HEADER_SIZE:]
