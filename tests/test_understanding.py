"""What the protocol panel shows, without Tk: explanations, packet fields, figures, diagram."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from movies import MOVIE, frames_of

from rtplab.player.model.plotdata import INTERVAL, SPAN, PlotData, Totals
from rtplab.player.panel.statediagram import ARROWS, last_arrow
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.packet import pack_header
from rtplab.protocol.rtp.rtpjpeg import packetize
from rtplab.protocol.rtsp.explain import explain_message, jpeg_fields, rtp_fields
from rtplab.protocol.rtsp.explainrtcp import MAX_SECTIONS, rtcp_sections
from rtplab.protocol.rtsp.states import State, transition
from rtplab.receiving.rtp.statistics import Statistics


def test_each_line_is_explained_with_its_section():
    lines = explain_message(
        b"SETUP rtsp://h/m RTSP/1.0\r\nCSeq: 1\nTRANSPORT : RTP/AVP\r\nX-Own: 1\r\n\r\nCSeq: body"
    )
    assert [line.text for line in lines] == [
        "SETUP rtsp://h/m RTSP/1.0", "CSeq: 1", "TRANSPORT : RTP/AVP", "X-Own: 1", "", "CSeq: body"
    ]  # fmt: skip
    assert "§10.4" in lines[0].meaning
    assert "§12.17" in lines[1].meaning
    assert "§12.39" in lines[2].meaning
    assert lines[3].meaning == ""
    assert lines[5].meaning == ""
    assert [line.visible_end for line in lines] == ["CR LF", "LF", "CR LF", "CR LF", "CR LF", ""]


def test_lab_messages_are_explained_too():
    lines = explain_message(b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: 123456")
    assert ["§10.5" in lines[0].meaning, "§12.37" in lines[2].meaning] == [True, True]
    assert lines[2].visible_end == ""


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (b"200 OK", "done"),
        (b"404 Not Found", "not found"),
        (b"299 ?", "an answer"),
        (b"", "an answer"),
        ("² superscript".encode(), "an answer"),
        (b"9" * 5000, "an answer"),
    ],
)
def test_replies_are_explained(status, meaning):
    assert explain_message(b"RTSP/1.0 " + status + b"\r\n")[0].meaning.startswith(meaning)


@given(
    st.sampled_from([b"", b"RTSP/", b"RTSP/1.0 ", b"RTSP/1.0 \xc2\xb2"]), st.binary(max_size=300)
)
def test_any_bytes_come_back_as_lines(start, data):
    data = start + data
    lines = explain_message(data)
    assert "".join(line.text + line.end for line in lines) == data.decode("utf-8", "replace")


def test_rtp_fields_are_those_of_the_header():
    packet = pack_header(1, 26, 0x1234, 90_000, 0xDEADBEEF) + b"payload"
    fields = {field.name: field.value for field in rtp_fields(packet)}
    assert fields == {
        "V": 2, "P": 0, "X": 0, "CC": 0, "M": 1, "PT": 26, "sequence number": 0x1234,
        "timestamp": 90_000, "SSRC": 0xDEADBEEF,
    }  # fmt: skip


def test_a_source_is_written_as_others_write_it():
    texts = {field.name: field.text for field in rtp_fields(pack_header(0, 26, 7, 90_000, 0xBEEF))}
    assert texts["SSRC"] == "0x0000BEEF" and texts["timestamp"] == "90,000"


@given(st.binary(min_size=12, max_size=90))
def test_the_fields_spell_the_packet_bit_by_bit(packet):
    fields = rtp_fields(packet)
    bits = "".join(f"{field.value:0{field.bits}b}" for field in fields)
    assert int(bits, 2).to_bytes(len(bits) // 8, "big") == packet[: len(bits) // 8]


@given(st.binary(max_size=11))
def test_short_packets_are_an_error(packet):
    with pytest.raises(PacketError):
        rtp_fields(packet)


def test_jpeg_fields_are_those_of_the_payload():
    fields = jpeg_fields(packetize(frames_of(MOVIE)[0], 1400)[0])
    assert {field.name: field.value for field in fields} == {
        "type-specific": 0, "fragment offset": 0, "type": 1, "Q": 255, "width": 48, "height": 36,
        "MBZ": 0, "precision": 0, "length": 128,
    }  # fmt: skip
    assert sum(field.bits for field in fields) == 96
    later = jpeg_fields(packetize(frames_of(MOVIE)[0], 1400)[1])
    assert sum(field.bits for field in later) == 64


def test_restart_markers_have_their_header():
    payload = bytes([0, 0, 0, 9, 65, 50, 4, 4]) + (7).to_bytes(2, "big") + b"\xff\xff" + b"data"
    fields = {field.name: field.value for field in jpeg_fields(payload)}
    assert fields["restart interval"] == 7
    assert (fields["F"], fields["L"], fields["restart count"]) == (1, 1, 0x3FFF)


def test_a_whole_jpeg_has_no_fields():
    assert jpeg_fields(frames_of(MOVIE)[0]) == []


@given(st.binary(max_size=60))
def test_jpeg_fields_raise_nothing_else(payload):
    try:
        jpeg_fields(payload)
    except PacketError:
        pass


def test_every_arrow_is_a_transition():
    for arrow in ARROWS:
        assert transition(arrow.source, arrow.method) is arrow.target


@pytest.mark.parametrize(
    ("previous", "current", "method"),
    [
        (State.INIT, State.READY, "SETUP"),
        (State.READY, State.PLAYING, "PLAY"),
        (State.PLAYING, State.READY, "PAUSE"),
        (State.READY, State.INIT, "TEARDOWN"),
        (State.PLAYING, State.INIT, "TEARDOWN"),
    ],
)
def test_the_last_arrow_is_the_one_that_was_gone(previous, current, method):
    arrow = last_arrow(previous, current, ended=False, lost=False)
    assert (arrow.method, arrow.source, arrow.target) == (method, previous, current)


def test_the_last_arrow_bears_what_else_has_changed_the_state():
    assert last_arrow(State.INIT, State.INIT, ended=False, lost=False) is None
    assert last_arrow(State.PLAYING, State.READY, ended=True, lost=False).method == "BYE"
    assert last_arrow(State.PLAYING, State.INIT, ended=False, lost=True).method == "lost"
    assert last_arrow(State.READY, State.INIT, ended=True, lost=False).method == "TEARDOWN"


def received(frames: int, lost_every: int = 0) -> Statistics:
    statistics = Statistics()
    for number in range(frames):
        if lost_every and number % lost_every == 1:
            continue
        statistics.arrived(number, 1000, number * 0.05)
        statistics.frames += 1
    return statistics


def test_the_figures_are_rates_over_the_last_seconds():
    data, statistics = PlotData(), Statistics()
    for half_second in range(20):
        now = half_second * INTERVAL
        for number in range(half_second * 10, half_second * 10 + 10):
            if number % 10 != 5:
                statistics.arrived(number, 1000, now)
                statistics.frames += 1
        statistics.late += 1
        statistics.duplicates += 2
        statistics.reordered += 3
        assert data.is_due(now)
        data.sample(statistics, 0.1, now)
        assert not data.is_due(now + INTERVAL / 2)
    last = data.figures[-1]
    assert last.frames_per_second == pytest.approx(18.0)
    assert last.kbit_per_second == pytest.approx(144.0)
    assert last.loss_percent == pytest.approx(10.0)
    assert last.buffer_ms == pytest.approx(100.0)
    assert last.late_per_second == pytest.approx(2.0)
    assert last.duplicates_per_second == pytest.approx(4.0)
    assert last.reordered_per_second == pytest.approx(6.0)


def test_a_time_without_samples_is_a_gap_and_no_slow_rate():
    """The panel was closed: nobody knows what was meanwhile, and a curve does not run over it."""
    data, statistics = PlotData(), Statistics()
    for now in (0.0, 0.6, 1.2, 1.8, 31.0, 31.6, 32.2, 70.0, 70.6):
        statistics.frames = round(now * 20)
        data.sample(statistics, 0.0, now)
    assert [[figure.when for figure in run] for run in data.runs()] == [[31.6, 32.2], [70.6]]
    assert {round(figure.frames_per_second) for figure in data.figures} == {20}
    data.sample(statistics, 0.0, 200.0)
    assert data.runs() == []


@pytest.mark.parametrize("interval", [INTERVAL, 0.6])
def test_the_figures_are_those_of_the_last_minute(interval):
    data = PlotData()
    for number in range(1000):
        data.sample(Statistics(), 0.0, number * interval)
    assert SPAN - interval < data.figures[-1].when - data.figures[0].when <= SPAN


def test_another_session_begins_its_rates_anew():
    data = PlotData()
    data.sample(received(1000), 0.0, 0.0)
    data.sample(received(10), 0.0, 0.5)
    data.sample(received(10), 0.0, 1.0)
    assert data.figures[-1].frames_per_second == 0.0
    assert data.figures[-1].loss_percent == 0.0


def test_totals_since_a_moment():
    statistics = received(100, lost_every=10)
    before = Totals.of(statistics, malformed=3, skipped=4)
    values = dict(Totals.of(received(200, lost_every=10), 5, 4).since(before).rows(0.0, 0.0))
    assert values["Packets"] == "90" and values["Lost"] == "10 (10.0 %)"
    assert values["Malformed"] == "2" and values["Frames not shown"] == "0"


def test_totals():
    values = dict(Totals.of(received(100, lost_every=10), malformed=3, skipped=4).rows(0.0, 0.0))
    assert values["Packets"] == "90"
    assert values["Lost"] == "10 (10.0 %)"
    assert values["Malformed"] == "3"
    assert values["Frames not shown"] == "4"


# Of the headers in RFC 2326 section 12 in their order; those that a player never sees left out.
SECTIONS = {
    "Accept": 1, "Allow": 4, "Authorization": 5, "Bandwidth": 6, "Blocksize": 7,
    "Cache-Control": 8, "Connection": 10, "Content-Base": 11, "Content-Length": 14,
    "Content-Type": 16, "CSeq": 17, "Date": 18, "Expires": 19, "Last-Modified": 24, "Location": 25,
    "Public": 28, "Range": 29, "Retry-After": 31, "Require": 32, "RTP-Info": 33, "Scale": 34,
    "Speed": 35, "Server": 36, "Session": 37, "Timestamp": 38, "Transport": 39, "Unsupported": 40,
    "User-Agent": 41, "Via": 43, "WWW-Authenticate": 44,
}  # fmt: skip


@pytest.mark.parametrize(("header", "number"), SECTIONS.items())
def test_a_header_is_explained_with_the_section_that_defines_it(header, number):
    lines = explain_message(f"OPTIONS * RTSP/1.0\r\n{header}: x\r\n\r\n".encode())
    assert lines[1].meaning.endswith(f"(RFC 2326 §12.{number})")


def test_a_message_of_http_is_explained_without_the_sections_of_rtsp():
    lines = explain_message(b"GET /stream HTTP/1.1\r\nAuthorization: x\r\n\r\n")
    assert "pictures" in lines[0].meaning and "proves" in lines[1].meaning
    assert "RFC" not in lines[0].meaning + lines[1].meaning
    lines = explain_message(b"HTTP/1.1 404 Not Found\r\nServer: cam\r\n\r\n")
    assert lines[0].meaning == "not found" and "RFC" not in lines[1].meaning
    assert explain_message(b"\x0cHTTP/1.1\n")  # whose first line is empty


# --- RTCP ----------------------------------------------------------------------------------------


def bits_of(fields) -> bytes:
    """The packet that its fields say."""
    digits = "".join(f"{field.value:0{field.bits}b}" for field in fields)
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def test_a_sender_report_field_by_field():
    ntp = rtcp.ntp_timestamp(1_700_000_000.25)
    data = rtcp.build_compound(rtcp.SenderReport(0xABCD, ntp, 90_000, 1234, 56_789), "me@here")
    report, names = rtcp_sections(data)
    assert "6.4.1" in report.title and "6.5" in names.title
    assert data.startswith(bits_of(report.fields)) and "me@here" in names.words
    values = {field.name: field.text for field in report.fields}
    assert (values["packets sent"], values["bytes sent"]) == ("1,234", "56,789")
    assert values["SSRC of the reporter"] == "0x0000ABCD"
    meanings = {field.name: field.meaning for field in report.fields}
    assert meanings["NTP time, seconds since 1900"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert meanings["NTP time, fraction"] == "0.250000 s"


def test_a_receiver_report_explains_lsr_and_dlsr():
    block = rtcp.ReportBlock(7, 64, -3, 0x0002_1234, 900, 0x0083_4000, 98_304)
    data = rtcp.build_compound(rtcp.ReceiverReport(9, (block,)), "")
    report = rtcp_sections(data)[0]
    assert data.startswith(bits_of(report.fields))
    fields = {field.name: (field.value, field.meaning) for field in report.fields}
    assert fields["fraction lost"] == (64, "25.0 %")
    assert fields["lost in total"] == (0xFFFFFD, "-3 packets")
    assert (fields["cycles"][0], fields["highest sequence number"][0]) == (2, 0x1234)
    assert fields["jitter"][1].startswith("10.00 ms")
    assert fields["DLSR"][1].startswith("1.500 s")
    assert "131.250 s" in report.words and "1.500 s" in report.words
    assert "A − LSR − DLSR" in report.words
    none_yet = rtcp.build_compound(
        rtcp.ReceiverReport(9, (block._replace(last_sr=0, delay_since_last_sr=0),)), ""
    )
    assert "no sender report" in rtcp_sections(none_yet)[0].words


def test_a_goodbye_names_who_leaves():
    data = rtcp.build_compound(rtcp.ReceiverReport(9), "", rtcp.Bye((5, 6), "over"))
    sections = rtcp_sections(data)
    assert [field.value for field in sections[-1].fields if field.name == "SSRC"] == [5, 6]


@given(st.binary(max_size=200), st.sampled_from([200, 201, 202, 203, 204]), st.integers(0, 31))
def test_any_bytes_are_sections_or_an_error(body, kind, count):
    body += bytes(-len(body) % 4)
    packet = bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2, "big") + body
    empty = bytes([0x80, 201, 0, 1, 0, 0, 0, 0])
    for data in (packet, empty + packet, empty * 30 + packet, packet + body):
        try:
            sections = rtcp_sections(data)
        except PacketError:
            continue
        assert 1 <= len(sections) <= MAX_SECTIONS
        for section in sections:
            assert all(0 <= field.value < 1 << field.bits for field in section.fields)
