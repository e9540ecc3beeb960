"""RTCP: golden bytes both ways, the checks on what is received, clocks and intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import lacks

from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
    middle_32,
    ntp_timestamp,
    parse_compound,
    report_interval,
)

BLOCK = ReportBlock(0x01020304, 0x40, -2, 0x0001FFFE, 77, 0xAABBCCDD, 0x00018000)
BLOCK_BYTES = bytes.fromhex("01020304 40FFFFFE 0001FFFE 0000004D AABBCCDD 00018000")
SENT = SenderReport(0x11223344, 0xE0000000_80000000, 4500, 17, 23_000)
SENT_BYTES = bytes.fromhex("80C80006 11223344 E0000000 80000000 00001194 00000011 000059D8")
NAME = SourceDescription(((0x11223344, "a@b"),))
NAME_BYTES = bytes.fromhex("81CA0003 11223344 01036140 62000000")
EMPTY_REPORT = bytes.fromhex("80C90001 00000000")  # what ffmpeg opens its RTCP port with

GOLDEN = [
    (SENT, None, SENT_BYTES + NAME_BYTES, [SENT, NAME]),
    (
        SenderReport(0x11223344, 1, 2, 3, 4, (BLOCK,)),
        None,
        bytes.fromhex("81C8000C 11223344 0000000000000001 00000002 00000003 00000004")
        + BLOCK_BYTES
        + NAME_BYTES,
        [SenderReport(0x11223344, 1, 2, 3, 4, (BLOCK,)), NAME],
    ),
    (
        ReceiverReport(0x11223344, (BLOCK, BLOCK)),
        None,
        bytes.fromhex("82C9000D 11223344") + BLOCK_BYTES * 2 + NAME_BYTES,
        [ReceiverReport(0x11223344, (BLOCK, BLOCK)), NAME],
    ),
    (
        ReceiverReport(0x11223344),
        Bye((0x11223344,)),
        bytes.fromhex("80C90001 11223344") + NAME_BYTES + bytes.fromhex("81CB0001 11223344"),
        [ReceiverReport(0x11223344), NAME, Bye((0x11223344,))],
    ),
    (
        SENT,
        Bye((0x11223344, 5), "end"),
        SENT_BYTES + NAME_BYTES + bytes.fromhex("82CB0003 11223344 00000005 03656E64"),
        [SENT, NAME, Bye((0x11223344, 5), "end")],
    ),
]


@pytest.mark.parametrize(("report", "bye", "data", "packets"), GOLDEN)
def test_golden_bytes_both_ways(report, bye, data, packets):
    assert build_compound(report, "a@b", bye) == data
    for buffer in (bytes, bytearray, memoryview):
        assert parse_compound(buffer(data)) == packets


def test_counts_wrap_and_losses_stop():
    report = SenderReport(
        1, 2, 3, (1 << 32) + 5, (1 << 32) + 6, (BLOCK._replace(cumulative_lost=1 << 30),)
    )
    (parsed, _) = parse_compound(build_compound(report, "x"))
    assert (parsed.packet_count, parsed.octet_count) == (5, 6)
    assert parsed.blocks[0].cumulative_lost == 0x7FFFFF
    report = ReceiverReport(1, (BLOCK._replace(cumulative_lost=-(1 << 30)),))
    assert parse_compound(build_compound(report, "x"))[0].blocks[0].cumulative_lost == -0x800000


def test_our_own_mistakes():
    assert build_compound(ReceiverReport(1, (BLOCK,) * 31), "x" * 255, Bye((1,), "x" * 255))
    with pytest.raises(ValueError, match="32 of anything"):
        build_compound(ReceiverReport(1, (BLOCK,) * 32), "x")
    with pytest.raises(ValueError, match="256 bytes"):
        build_compound(ReceiverReport(1), "x" * 256)
    with pytest.raises(ValueError, match="256 bytes"):
        build_compound(ReceiverReport(1), "x", Bye((1,), "x" * 256))


# --- received ------------------------------------------------------------------------------------


def test_an_empty_report_alone_is_accepted():
    assert parse_compound(EMPTY_REPORT) == [ReceiverReport(0)]


def test_unknown_packets_are_skipped():
    app = bytes.fromhex("80CC0002 00000001 6E616D65")
    assert parse_compound(SENT_BYTES + app + NAME_BYTES) == [SENT, NAME]


def test_a_profile_extension_is_skipped():
    extended = bytes.fromhex("80C90003 00000001 DEADBEEF DEADBEEF")
    assert parse_compound(extended) == [ReceiverReport(1)]


def test_padding_of_the_last_packet():
    padded = bytes.fromhex("A1CB0002 00000001 00000004")
    assert parse_compound(EMPTY_REPORT + padded) == [ReceiverReport(0), Bye((1,))]
    nothing_else = bytes.fromhex("A0CB0001 00000004")
    assert parse_compound(EMPTY_REPORT + nothing_else) == [ReceiverReport(0), Bye(())]


def test_other_items_and_several_sources():
    data = bytes.fromhex(
        "82CA0006 00000001 0203 414243 0102 6869 00 0000"  # NAME "ABC", CNAME "hi"
        "00000002 0601 78 00"  # TOOL "x"
    )
    assert parse_compound(EMPTY_REPORT + data)[1] == SourceDescription(((1, "hi"),))


def test_text_that_is_no_utf8_is_replaced():
    data = bytes.fromhex("81CB0002 00000001 02FFFE00")
    assert parse_compound(EMPTY_REPORT + data)[1] == Bye((1,), "\ufffd\ufffd")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "0 bytes"),
        ("80C900", "3 bytes"),
        ("00C90001 00000000", "version 0"),
        ("40C90001 00000000", "version 1"),
        ("C0C90001 00000000", "version 3"),
        ("80C90002 00000000", "12 bytes, only 8"),
        ("80C90001 0000000080", "1 bytes"),
        ("81CB0001 00000000", "compound, type 203"),
        ("80001234 00000000", "18644 bytes, only 8"),
        ("80000001 00000000", "compound, type 0"),
        ("A0C90001 00000004", "padding inside"),
        ("80C90001 00000000 A1CB0001 00000004 81CB0001 00000001", "padding inside"),
        ("80C90001 00000000 A1CB0001 00000003", "3 bytes of padding, packet of 4"),
        ("80C90001 00000000 A1CB0001 00000008", "8 bytes of padding, packet of 4"),
        ("80C90001 00000000 A1CB0001 00000000", "0 bytes of padding, packet of 4"),
        ("80C90001 00000000 A0CB0000", "0 bytes of padding, packet of 0"),
        ("80C90000", "has 0 bytes, 4 are needed"),
        ("81C90001 00000000", "has 0 bytes, 24 are needed"),
        ("80C80001 00000000", "has 4 bytes, 24 are needed"),
        ("80C90001 00000000 82CB0001 00000000", "has 4 bytes, 8 are needed"),
        ("80C90001 00000000 81CB0002 00000000 04414243", "has 8 bytes, 9 are needed"),
        ("80C90001 00000000 81CA0000", "has 0 bytes, 4 are needed"),
        ("80C90001 00000000 81CA0001 00000000", "has 4 bytes, 5 are needed"),
        ("80C90001 00000000 81CA0002 00000000 01024142", "has 8 bytes, 9 are needed"),
        ("80C90001 00000000 81CA0002 00000000 01034142", "has 8 bytes, 9 are needed"),
        ("80C90001 00000000 81CA0002 00000000 02014101", "has 8 bytes, 9 are needed"),
        ("80C90001 00000000 82CA0002 00000000 01014100", "has 8 bytes, 12 are needed"),
    ],
)
def test_what_must_be_refused(data, message):
    with pytest.raises(PacketError) as caught:
        parse_compound(bytes.fromhex(data))
    assert not lacks(str(caught.value), *message.split(", "))


def test_every_truncation_between_packets_is_noticed():
    data = GOLDEN[-1][2]
    for length in range(len(data)):
        if length in (28, 44):  # the ends of packets
            assert parse_compound(data[:length])
        else:
            with pytest.raises(PacketError):
                parse_compound(data[:length])


u32 = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(
    ReportBlock,
    u32,
    st.integers(0, 255),
    st.integers(-(1 << 23), (1 << 23) - 1),
    u32,
    u32,
    u32,
    u32,
)
block_lists = st.lists(blocks, max_size=31).map(tuple)
reports = st.one_of(
    st.builds(ReceiverReport, u32, block_lists),
    st.builds(SenderReport, u32, st.integers(0, (1 << 64) - 1), u32, u32, u32, block_lists),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
byes = st.one_of(st.none(), st.builds(Bye, st.lists(u32, max_size=31).map(tuple), texts))


@given(reports, texts, byes)
def test_what_is_built_is_parsed_to_the_same(report, cname, bye):
    packets = [report, SourceDescription(((report.ssrc, cname),))] + ([bye] if bye else [])
    assert parse_compound(build_compound(report, cname, bye)) == packets


@given(st.binary(max_size=120), st.sampled_from([200, 201]), st.integers(0, 31))
def test_only_documented_errors_on_junk(junk, first, count):
    words = bytes([0x80 | count, first]) + (len(junk) // 4).to_bytes(2, "big")
    sdes = bytes([0x80 | count, 202]) + (len(junk) // 4).to_bytes(2, "big")
    bye = bytes([0x80 | count, 203]) + (len(junk) // 4).to_bytes(2, "big")
    for data in (junk, words + junk, EMPTY_REPORT + sdes + junk, EMPTY_REPORT + bye + junk):
        try:
            assert parse_compound(data)
        except PacketError:
            pass


# --- clocks and intervals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unix", "ntp"),
    [
        (0.0, 0x83AA7E80_00000000),
        (0.5, 0x83AA7E80_80000000),
        (-0.25, 0x83AA7E7F_C0000000),
        (1_700_000_000.25, (1_700_000_000 + 2_208_988_800) << 32 | 0x40000000),
        (2_085_978_496.0, 0),  # 2036: the first era of NTP ends
    ],
)
def test_ntp_timestamp(unix, ntp):
    assert ntp_timestamp(unix) == ntp


def test_middle_32_bits():
    assert middle_32(0x1122334455667788) == 0x33445566


@pytest.mark.parametrize(("uniform", "seconds"), [(0.0, 2.5), (0.5, 5.0), (1.0, 7.5)])
def test_report_interval(uniform, seconds):
    assert report_interval(uniform) == pytest.approx(seconds)
