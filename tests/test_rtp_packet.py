"""The RTP packet: the classic API bit for bit, and what comes off the wire (RFC 3550 section 5)."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import RtpPacket as module
from rtplab.protocol.errors import PacketError
from RtpPacket import HEADER_SIZE, RtpPacket, pack_header

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

    @pytest.mark.parametrize("count", [1, 2, 15])
    def test_sources_are_taken_off(self, count):
        data = wire(0x80 | count, bytes(range(4 * count)) + PAYLOAD)
        assert decoded(data).getPayload() == PAYLOAD

    @pytest.mark.parametrize("words", [0, 1, 3])
    def test_extension_is_taken_off(self, words):
        data = wire(0x90, b"\xbe\xde" + bytes([0, words]) + bytes(4 * words) + PAYLOAD)
        assert decoded(data).getPayload() == PAYLOAD

    @pytest.mark.parametrize("length", [1, 4, 255])
    def test_padding_is_taken_off(self, length):
        data = wire(0xA0, PAYLOAD + bytes(length - 1) + bytes([length]))
        assert decoded(data).getPayload() == PAYLOAD

    def test_sources_extension_and_padding_together(self):
        data = wire(0xB1, b"\xff" * 4 + b"\xbe\xde\x00\x01\xff\xff\xff\xff" + PAYLOAD + b"\x00\x02")
        assert decoded(data).getPayload() == PAYLOAD

    def test_nothing_but_padding(self):
        assert decoded(wire(0xA0, b"\x00\x00\x03")).getPayload() == b""

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_of_another_version_all_that_follows_12_bytes_is_payload(self, version):
        packet = decoded(wire(version << 6 | 0x3F, PAYLOAD))
        assert packet.version() == version
        assert packet.getPayload() == PAYLOAD

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "0 bytes are no RTP packet: its header has 12"),
            (bytes(11), "11 bytes are no RTP packet"),
            ("81", "packet 4660: its sources and extension end beyond it"),
            ("8f", "packet 4660: its sources and extension end beyond it"),
            ("90", "packet 4660: its sources and extension end beyond it"),
            ("90 bede", "packet 4660: its sources and extension end beyond it"),
            ("90 bede0001", "packet 4660: its sources and extension end beyond it"),
            ("90 bedeffff 00000000", "packet 4660: its sources and extension end beyond it"),
            ("91 00000000 bede", "packet 4660: its sources and extension end beyond it"),
            ("a0 00", "packet 4660: 0 bytes of padding do not fit"),
            ("a0 000003", None),
            ("90 bede0000", None),
            ("81 00000007", None),
            ("a0 000004", "packet 4660: 4 bytes of padding do not fit"),
            ("a1 00000001 02", "packet 4660: 2 bytes of padding do not fit"),
            ("a0", "packet 4660: 5 bytes of padding do not fit"),
        ],
    )
    def test_malformed(self, data, message):
        if isinstance(data, str):
            first, _, rest = data.partition(" ")
            data = wire(int(first, 16), bytes.fromhex(rest))
        if message is None:
            assert decoded(data).getPayload() == b""
            return
        with pytest.raises(PacketError) as caught:
            decoded(data)
        assert message in str(caught.value)

    def test_the_classic_round_trip(self):
        data = encoded(2, 0, 0, 0, 7, 0, 26, 0, PAYLOAD, 123).getPacket()
        assert decoded(data).getPacket() == data

    def test_what_was_taken_off_is_announced_no_more(self):
        first = decoded(wire(0xB1, bytes(4) + b"\xbe\xde\x00\x00" + PAYLOAD + b"\x01"))
        again = decoded(first.getPacket())
        assert again.getPayload() == PAYLOAD
        assert (again.version(), again.seqNum()) == (2, 0x1234)


def wire(first_byte, rest):
    """A packet off the wire: its first byte, number 0x1234, SSRC 5, and what follows 12 bytes."""
    return bytes([first_byte]) + bytes.fromhex("1a 1234 00000000 00000005") + rest


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


@given(st.integers(0, 255), st.binary(max_size=100))
def test_any_bytes_are_a_packet_or_a_packet_error(first_byte, rest):
    data = bytes([first_byte]) + rest
    try:
        packet = decoded(data)
    except PacketError:
        return
    assert data[12:].find(packet.getPayload()) >= 0
    assert decoded(packet.getPacket()).getPayload() == packet.getPayload()
