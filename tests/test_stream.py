"""An RTP stream: numbers, timestamps, markers and bursts, by the packets it hands to its sink."""

from __future__ import annotations

import sys
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import MOVIE, jpeg_of_size, write_movie
from systems import needs_any_name

from rtplab.movies.movie import Movie
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.rtpjpeg import parse_payload
from rtplab.serving.media.payloads import MAX_LAB_FRAME, Media, RtpJpeg, WholeFrames
from rtplab.serving.rtp.reports import SenderReports
from rtplab.serving.rtp.sinks import Counts
from rtplab.serving.rtp.stream import RtpStream
from RtpPacket import RtpPacket

FRAME = 0.05  # seconds
TICKS = 4500


class Sink:
    """Notes the packets of each burst, decoded, and the reports."""

    def __init__(self, max_burst=40):
        self.max_burst = max_burst
        self.bursts = []
        self.reports = []
        self.not_sent = Counts()

    def send(self, packets):
        self.bursts.append([decoded(b"".join(packet)) for packet in packets])

    def send_report(self, report):
        self.reports.append(report)

    def close(self):
        pass

    @property
    def packets(self):
        return [packet for burst in self.bursts for packet in burst]


def decoded(data):
    packet = RtpPacket()
    packet.decode(data)
    return packet


def new_stream(sink, *, number=1, timestamp=0, marker=False):
    return RtpStream(
        sink,
        ssrc=0xCAFEBABE,
        sequence_number=number,
        first_timestamp=timestamp,
        mark_single_packets=marker,
    )


def send(stream, payloads, duration=FRAME, now=0.0):
    """Send a frame in all its bursts; return the share of the frame's time of each."""
    stream.begin_frame(payloads, duration, now)
    shares = [stream.send_burst()]
    while stream.is_within_frame:
        shares.append(stream.send_burst())
    return shares


def markers(packets):
    return [packet.marker() for packet in packets]


def test_a_frame_in_one_packet():
    sink = Sink()
    stream = new_stream(sink)
    for _ in range(3):
        assert send(stream, [b"frame"]) == [1.0]
    assert [packet.seqNum() for packet in sink.packets] == [1, 2, 3]
    assert [packet.timestamp() for packet in sink.packets] == [0, TICKS, 2 * TICKS]
    assert markers(sink.packets) == [0, 0, 0]
    for packet in sink.packets:
        assert (packet.version(), packet.payloadType(), packet.ssrc()) == (2, 26, 0xCAFEBABE)
        assert packet.header[0] == 0x80
        assert packet.getPayload() == b"frame"


def test_the_marker_on_a_frame_in_one_packet_is_a_choice():
    sink = Sink()
    send(new_stream(sink, marker=True), [b"frame"])
    assert markers(sink.packets) == [1]


@pytest.mark.parametrize("marker", [False, True])
def test_a_frame_in_several_packets(marker):
    sink = Sink()
    stream = new_stream(sink, marker=marker)
    send(stream, [b"a", b"b", b"c"])
    send(stream, [b"d", b"e"])
    assert [packet.getPayload() for packet in sink.packets] == [b"a", b"b", b"c", b"d", b"e"]
    assert [packet.seqNum() for packet in sink.packets] == [1, 2, 3, 4, 5]
    assert [packet.timestamp() for packet in sink.packets] == [0, 0, 0, TICKS, TICKS]
    assert markers(sink.packets) == [0, 0, 1, 0, 1]


def test_numbers_and_timestamps_wrap_around():
    sink = Sink()
    stream = new_stream(sink, number=65534, timestamp=2**32 - TICKS)
    for _ in range(4):
        send(stream, [b"frame"])
    assert [packet.seqNum() for packet in sink.packets] == [65534, 65535, 0, 1]
    assert [packet.timestamp() for packet in sink.packets] == [2**32 - TICKS, 0, TICKS, 2 * TICKS]


def test_timestamps_do_not_drift():
    """A 29th of a second is no whole number of ticks; after an hour of them all is well."""
    sink = Sink()
    stream = new_stream(sink)
    for _ in range(3600 * 29 + 1):
        stream.begin_frame([], 1 / 29, 0.0)
    assert stream.timestamp == pytest.approx(3600 * 90_000 + 90_000 / 29, abs=1)


def test_a_frame_without_packets_takes_its_time_and_no_number():
    sink = Sink()
    stream = new_stream(sink)
    assert send(stream, []) == [1.0]
    send(stream, [b"frame"])
    assert sink.bursts == [[sink.packets[0]]]
    assert (sink.packets[0].seqNum(), sink.packets[0].timestamp()) == (1, TICKS)


@pytest.mark.parametrize(
    ("packets", "bursts"), [(1, [1]), (10, [10]), (11, [6, 5]), (20, [10, 10]), (25, [9, 9, 7])]
)
def test_large_frames_go_in_bursts_of_about_one_size(packets, bursts):
    sink = Sink(max_burst=10)
    shares = send(new_stream(sink), [b"x"] * packets)
    assert [len(burst) for burst in sink.bursts] == bursts
    assert shares == pytest.approx([1 / len(bursts)] * len(bursts))
    assert [packet.seqNum() for packet in sink.packets] == list(range(1, packets + 1))
    assert markers(sink.packets) == [0] * (packets - 1) + [int(packets > 1)]


@given(st.lists(st.integers(0, 60), max_size=20), st.integers(0, 65535), st.integers(1, 50))
def test_any_frames(sizes, first, max_burst):
    sink = Sink(max_burst)
    stream = new_stream(sink, number=first)
    for size in sizes:
        shares = send(stream, [b"x"] * size)
        assert sum(shares) == pytest.approx(1.0)
    numbers = [packet.seqNum() for packet in sink.packets]
    assert numbers == [(first + index) % 65536 for index in range(sum(sizes))]
    assert all(len(burst) <= max_burst for burst in sink.bursts)


def test_a_report_says_what_was_sent():
    sink = Sink()
    stream = new_stream(sink)
    send(stream, [b"abc", b"de"], now=100.0)
    reports = SenderReports(stream, "name")
    for now, sent in ((100.0, 1), (100.1, 1), (102.4, 1), (110.0, 2)):
        reports.send_if_due(now)
        assert len(sink.reports) == sent
    report = next(
        part for part in rtcp.parse_compound(sink.reports[0]) if isinstance(part, rtcp.SenderReport)
    )
    # The frame just sent belongs to the time of the report (RFC 3550 section 6.4.1).
    assert (report.ssrc, report.rtp_timestamp) == (0xCAFEBABE, 0)
    assert (report.packet_count, report.octet_count) == (2, 5)


def payloads_of(media: Media, number: int, limit: int) -> list[bytes] | None:
    """What is made of a frame for a way that takes `limit` bytes in one piece."""
    return media.cut(number, media.movie.frame(number), media.size_for(limit))


def test_what_the_sink_has_not_sent_does_not_count():
    """Over TCP a frame is dropped whole if the viewer is slow; it has its numbers all the same."""
    sink = Sink()
    stream = new_stream(sink)
    send(stream, [b"abc", b"de"])
    send(stream, [b"fg", b"h"])
    sink.not_sent = Counts(1, 2, 3)
    assert stream.sent == (1, 2, 5)
    assert stream.sequence_number == 5
    report = stream.sender_report(0.0, 0.0)
    assert (report.packet_count, report.octet_count) == (2, 5)


def test_a_report_s_timestamp_is_of_its_moment():
    stream = new_stream(Sink(), timestamp=2**32 - 100)
    assert stream.sender_report(1000.0, 0.0).rtp_timestamp == 2**32 - 100, "before the first frame"
    stream.begin_frame([b"frame"], FRAME, 50.0)
    stream.send_burst()
    assert stream.sender_report(50.0, 0.0).rtp_timestamp == 2**32 - 100
    assert stream.sender_report(50.02, 0.0).rtp_timestamp == 1700
    assert stream.sender_report(110.0, 0.0).rtp_timestamp == 60 * 90_000 - 100


def test_reports_take_no_more_than_their_share_of_a_slow_stream():
    """RFC 3550 section 6.2: a quarter of a twentieth. Here that is 10 bytes a second."""
    sink = Sink()
    stream = new_stream(sink)
    reports = SenderReports(stream, "name")
    moments, sent = [], 0
    for now in range(1000, 1400):
        send(stream, [bytes(800)])
        reports.send_if_due(float(now))
        if len(sink.reports) > sent:
            sent += 1
            moments.append(now)
    assert sum(len(report) + 28 for report in sink.reports) < 0.0125 * 800 * 400 * 1.3
    assert len(moments) > 20


def block(last_sr: int, delay: float) -> rtcp.ReportBlock:
    return rtcp.ReportBlock(7, 0, 0, 0, 0, last_sr, round(delay * 65536))


def test_the_round_trip_is_what_is_left_of_the_time_since_a_report():
    """RFC 3550 section 6.4.1: A - LSR - DLSR."""
    sink = Sink()
    reports = SenderReports(new_stream(sink), "name")
    assert reports.round_trip(block(0, 0.0), 1000.0) is None  # the viewer has got none
    reports.send_if_due(1000.0)
    (report, _) = rtcp.parse_compound(sink.reports[0])
    last = rtcp.middle_32(report.ntp)
    assert reports.round_trip(block(last, 5.25), 1006.0) == pytest.approx(0.75, abs=2 / 65536)
    assert reports.round_trip(block(last, 6.005), 1006.0) == 0.0  # rounded up by the viewer
    assert reports.round_trip(block(last, 7.0), 1006.0) is None
    assert reports.round_trip(block(last ^ 1, 0.0), 1006.0) is None
    for now in range(1010, 1200, 10):
        reports.send_if_due(float(now))
    assert reports.round_trip(block(last, 0.0), 1200.0) is None  # too long ago


def test_the_round_trip_outlives_the_wrap_of_the_16_bits_of_seconds():
    sink = Sink()
    reports = SenderReports(new_stream(sink), "name")
    now = 1000.0 + (65535 - (int(reports._epoch + 1000.0 + 2_208_988_800) & 0xFFFF)) + 0.5
    reports.send_if_due(now)
    (report, _) = rtcp.parse_compound(sink.reports[0])
    found = reports.round_trip(block(rtcp.middle_32(report.ntp), 3.0), now + 3.5)
    assert found == pytest.approx(0.5, abs=2 / 65536)


# --- The lab's payload ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (MAX_LAB_FRAME - 1, [MAX_LAB_FRAME - 1]),
        (MAX_LAB_FRAME, [MAX_LAB_FRAME]),
        (MAX_LAB_FRAME + 1, [MAX_LAB_FRAME, 1]),
        (99_999, [MAX_LAB_FRAME, 99_999 - MAX_LAB_FRAME]),
    ],
)
def test_a_lab_frame_is_whole_unless_no_datagram_can_hold_it(tmp_path, size, pieces):
    frame = jpeg_of_size(size)
    media = WholeFrames(Movie(write_movie(tmp_path / "movie.Mjpeg", [frame])))
    payloads = payloads_of(media, 1, 100)
    assert [len(payload) for payload in payloads] == pieces
    assert b"".join(payloads) == frame
    assert MAX_LAB_FRAME == 65_495


@pytest.fixture
def partly_damaged(tmp_path):
    """A movie with bytes too many in frame 1, and frames 2 and 3 damaged within."""
    frames = [jpeg_of_size(5000, seed) for seed in range(4)]
    frames[1] = frames[1][:4] + b"\xff\xf0" + frames[1][6:]
    frames[2] = frames[2][:-40] + b"\xff\x02" + frames[2][-38:]
    written = [frames[0] + b"\xff\xd9", *frames[1:]]
    return frames, write_movie(tmp_path / "movie\n.Mjpeg", written)


@needs_any_name
def test_a_damaged_frame_is_left_out_for_all_when_it_is_due_and_said_once(partly_damaged, caplog):
    frames, path = partly_damaged
    movie = Movie(path)
    for _ in range(2):
        media = WholeFrames(movie)
        found = [payloads_of(media, number, 65_535) for number in (1, 2, 3, 4)]
        assert found == [[frames[0]], [], [], [frames[3]]]
    standard = RtpJpeg(movie, 1440, lambda: None)
    with without_pillow():
        found = [payloads_of(standard, number, 65_535) for number in (1, 2, 3, 4)]
        for number in (1, 2, 3, 4):
            standard.prepare(number, 0)
    assert [bool(payloads) for payloads in found] == [True, False, False, True]
    (message,) = caplog.messages
    assert message.startswith(r"movie\n.Mjpeg: frame 2") and "skipped" in message


@contextmanager
def without_pillow():
    """A conversion can't be imported."""
    name = "rtplab.serving.media.conversion"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, None)
        yield


@pytest.mark.parametrize(
    ("limit", "largest"), [(65_535, 1440), (1440, 1440), (1439, 1220), (560, 492), (100, 492)]
)
def test_a_narrow_path_gets_smaller_packets(limit, largest):
    media = RtpJpeg(Movie(MOVIE), 1440, lambda: None)
    payloads = payloads_of(media, 1, limit)
    sizes = list(map(len, payloads))
    assert set(sizes[:-1]) == {largest} and sizes[-1] <= largest
    assert _scan(payloads) == _scan(payloads_of(media, 1, 65_535))


def _scan(payloads):
    return b"".join(parse_payload(payload).data for payload in payloads)
