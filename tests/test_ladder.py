"""The ladder: what went over the wire, and how it is drawn."""

from __future__ import annotations

import itertools
import time

import pytest
from test_bundles import ENDS, captured, lab, standard
from wording import lacks

from rtplab.player.model.bundles import Bundle, Fate
from rtplab.player.model.exchanges import RoundTrips, seconds_text
from rtplab.player.model.ladder import MAX_SIZE, Arrow, Break, Ladder
from rtplab.player.model.ladderfeed import LadderFeed
from rtplab.player.model.ladderrow import marks_of
from rtplab.player.model.ladderview import SPANS, LadderView
from rtplab.player.model.packetchoice import PacketChoice
from rtplab.player.model.shapes import Line, Oval, Polygon, Rectangle, Text
from rtplab.player.model.traffic import UNWATCHED_BYTES, Traffic
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtp.packet import pack_header
from rtplab.receiving.files.capture import CapturedMessage, CapturedPacket

WIDTH, HEIGHT = 424.0, 460.0


def message(sent: bool, text: str, when: float) -> CapturedMessage:
    return CapturedMessage(sent, text.encode(), when, ENDS)


def lab_frames(count: int, interval: float = 0.05) -> list[CapturedPacket]:
    """A datagram for each frame."""
    jpeg = lab()[0][12:]
    return [
        captured(pack_header(0, 26, n, 0, 0) + jpeg, 5 + interval * n) for n in range(1, count + 1)
    ]


def report(when: float, *, sent: bool, goodbye: bool = False) -> CapturedPacket:
    block = rtcp.ReportBlock(7, 12, 34, 100, 90, 0, 0)
    made = rtcp.ReceiverReport(1, (block,)) if sent else rtcp.SenderReport(7, 1 << 40, 0, 1234, 0)
    data = rtcp.build_compound(made, "name", rtcp.Bye((7,)) if goodbye else None)
    return CapturedPacket(data, 6971, True, when, ENDS, sent)


SESSION = [
    message(True, "SETUP rtsp://h/m RTSP/1.0\r\nCSeq: 1\r\n\r\n", 10.0),
    message(False, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", 10.0023),
    message(True, "PLAY rtsp://h/m RTSP/1.0\r\nCSeq: 2\r\n\r\n", 10.1),
    message(False, "RTSP/1.0 200 OK\r\nCSeq: 2\r\nRTP-Info: url=m;seq=65530\r\n\r\n", 10.1125),
    *(
        captured(packet, 10.2 + 0.05 * number)
        for number, packets in enumerate(standard())
        for packet in packets
    ),
    report(10.6, sent=False),
    report(10.7, sent=True),
    report(10.8, sent=False, goodbye=True),
]


def ladder_of(entries) -> Ladder:
    ladder = Ladder()
    ladder.add(list(entries))
    while ladder.take():
        pass
    return ladder


def view_of(entries, zoom: int = 0) -> LadderView:
    view = LadderView(ladder_of(entries))
    view.update()
    view.zoom(zoom)
    return view


def drawn(view: LadderView, height: float = HEIGHT):
    return view.shapes(WIDTH, height, "h:554")


def texts(view: LadderView) -> list[str]:
    return [shape.text for shape in drawn(view) if isinstance(shape, Text)]


# ---------------------------------------------------------------------- what has happened


def test_a_session_is_arrows_and_a_bundle_for_each_frame():
    events = list(ladder_of(SESSION).events)
    arrows = [event for event in events if isinstance(event, Arrow)]
    assert [(one.sent, one.kind, one.label) for one in arrows] == [
        (True, "request", "SETUP · CSeq 1"),
        (False, "reply", "200 OK · CSeq 1 · after 2.30 ms"),
        (True, "request", "PLAY · CSeq 2"),
        (False, "reply", "200 OK · CSeq 2 · after 12.5 ms"),
        (False, "report", arrows[4].label),
        (True, "report", arrows[5].label),
        (False, "goodbye", "RTCP BYE"),
    ]
    assert not lacks(arrows[4].label, "SR", "1,234") and not lacks(arrows[5].label, "RR", "34")
    bundles = [event for event in events if isinstance(event, Bundle)]
    assert [len(bundle.ticks) for bundle in bundles] == [len(frame) for frame in standard()]
    assert [event.when for event in events] == sorted(event.when for event in events)


def test_the_reply_to_play_says_which_packets_are_missing_at_the_beginning():
    entries = [
        entry
        for entry in SESSION
        if not (isinstance(entry, CapturedPacket) and entry.data[2:4] == b"\xff\xfa")
    ]
    first = next(event for event in ladder_of(entries).events if isinstance(event, Bundle))
    assert first.ticks[0].fate is Fate.LOST and first.ticks[0].sequence == 65530


def test_a_lab_session_without_line_ends_and_with_an_error():
    entries = [
        message(True, "SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; x", 1.0),
        message(False, "RTSP/1.0 404 NOT\x1bFOUND\nCSeq: 1\nSession: 0", 1.5),
        message(False, "RTSP/1.0 200 OK", 1.6),  # to nothing
    ]
    arrows = list(ladder_of(entries).events)
    assert [one.label for one in arrows] == [
        "SETUP · CSeq 1", r"404 NOT\x1bFOUND · CSeq 1 · after 500.0 ms", "200 OK"
    ]  # fmt: skip
    assert [one.kind for one in arrows] == ["request", "refusal", "reply"]


def test_a_camera_s_http_has_a_round_trip_too():
    entries = [
        message(True, "GET /stream HTTP/1.1\r\n\r\n", 1.0),
        message(False, "HTTP/1.1 200 OK\r\n\r\n", 1.02),
    ]
    assert [one.label for one in ladder_of(entries).events] == ["GET", "200 OK · after 20.0 ms"]


def test_round_trips_are_those_of_the_request_that_a_reply_names():
    trips = RoundTrips()
    takes = [
        ("DESCRIBE m RTSP/1.0\r\nCSeq: 1\r\n\r\n", True, 1.0, None),
        ("GET_PARAMETER m RTSP/1.0\r\ncseq : 2\r\n\r\n", True, 2.0, None),
        ("ANNOUNCE m RTSP/1.0\r\nCSeq: 1\r\n\r\n", False, 2.5, None),  # of the server's
        ("RTSP/1.0 200 OK\r\nCSeq:2\r\n\r\n", False, 3.0, 1.0),
        ("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", True, 3.5, 1.0),
        ("RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n", False, 4.0, 3.0),  # the oldest that waits
        ("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", False, 5.0, None),
    ]
    for text, sent, when, expected in takes:
        assert trips.take(message(sent, text, when)) == (
            None if expected is None else pytest.approx(expected)
        )


@pytest.mark.parametrize(
    "seconds, text", [(0.00045, "0.45 ms"), (0.0123, "12.3 ms"), (1.25, "1.25 s")]
)
def test_short_times_have_their_units(seconds, text):
    assert seconds_text(seconds) == text


def test_what_is_not_kept_any_more_is_not_lost():
    flat = [packet for packets in standard() for packet in packets]
    play = message(True, "PLAY m RTSP/1.0\r\nCSeq: 1\r\n\r\n", 0.0)
    before = [captured(packet, 1.0) for packet in flat[:5]]
    after = [captured(packet, 3.0) for packet in flat[20:]]
    bundles = [
        event
        for event in ladder_of([play, *before, Break(2.0), *after]).events
        if isinstance(event, Bundle)
    ]
    assert all(bundle.is_whole for bundle in bundles)
    assert any(isinstance(one, Break) for one in ladder_of([play, Break(2.0), *after]).events)
    assert not any(isinstance(one, Break) for one in ladder_of([Break(0.5), *before]).events)


def test_the_feed_gives_messages_and_packets_once_and_in_their_order():
    traffic = Traffic(lambda: ENDS)
    feed = LadderFeed(traffic)
    packets = lab()
    assert not feed.take()
    traffic.message_sent(b"PLAY m RTSP/1.0\r\nCSeq: 1\r\n\r\n", 0.5)
    traffic.forgave("A remark.", 0.6)
    traffic.packets_received([*packets[:1], bytes(UNWATCHED_BYTES)], 1, False, 1.0)  # too much
    traffic.watching = True
    traffic.packet_sent(b"opening", 1, False, 2.0)
    traffic.packets_received(packets[3:5], 1, False, 3.0)
    traffic.message_received(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", 2.5)
    assert feed.take() and not feed.take()
    kinds = [type(event).__name__ for event in feed.ladder.events]
    assert kinds == ["Arrow", "Break", "Arrow", "Arrow", "Bundle", "Bundle"]
    assert all(one.is_whole for one in feed.ladder.events if isinstance(one, Bundle))
    traffic.packets_received(packets[5:], 1, False, 4.0)
    assert feed.take() and len(feed.ladder.events) == 7


def test_packets_are_followed_held_and_stepped_through_by_kind():
    traffic = Traffic(lambda: ENDS)
    traffic.watching = True
    choice = PacketChoice(traffic)
    assert choice.packet is None and choice.where == ""
    choice.toggle_hold()
    assert choice.packet is None and choice.where == ""
    choice.toggle_hold()
    traffic.packets_received([b"1", b"2", b"3"], 1, False, 1.0)
    traffic.packets_received([b"SR"], 1, True, 1.0)
    traffic.packet_sent(b"RR", 1, True, 2.0)
    traffic.packet_sent(b"opening", 1, False, 2.0)
    assert choice.packet.data == b"3"
    choice.step(-1)
    assert (choice.packet.data, choice.where) == (b"2", "2 of 3")
    choice.follow(shows_reports=True)
    assert choice.packet.data == b"RR"
    choice.hold(traffic.packets[3])
    assert (choice.packet.data, choice.where) == (b"SR", "1 of 2")
    choice.hold(captured(b"forgotten"))
    assert (choice.packet.data, choice.where) == (b"forgotten", "1 of 1")
    assert not choice.shows_reports


def test_memory_is_bounded_whatever_a_server_sends():
    ladder = Ladder()
    jumps = itertools.cycle(range(0, 65536, 2900))
    for round_ in range(100):  # each packet says that 2,900 are missing
        data = [pack_header(0, 26, next(jumps), round_, 1) for _ in range(20)]
        began = time.process_time()
        ladder.add([captured(packet, round_) for packet in data])
        ladder.take()
        assert time.process_time() - began < 0.5
    assert sum(len(event.ticks) for event in ladder.events) < 100_000
    long = [message(True, "PLAY m RTSP/1.0\r\n" + "x" * 60_000, n) for n in range(1000)]
    ladder.add(long)
    ladder.take()
    held = [event.entry.data for event in ladder.events if isinstance(event, Arrow)]
    assert sum(map(len, held)) <= MAX_SIZE


def test_more_than_can_be_taken_at_a_time_is_taken_little_by_little():
    flat = [captured(pack_header(0, 26, number & 65535, 0, 1), number) for number in range(29_000)]
    ladder = Ladder()
    ladder.add(flat)
    ladder.take()
    after_one = sum(len(event.ticks) for event in ladder.events)
    assert after_one < 10_000
    while ladder.take():
        pass
    assert sum(len(event.ticks) for event in ladder.events) == 29_000


# ---------------------------------------------------------------------- how it is drawn


def test_a_tick_for_each_packet_the_markers_longer_a_cross_for_lost_a_circle_for_overtaken():
    packets = standard()[0]
    packets = [packets[0], packets[2], packets[1], *packets[4:]]
    view = view_of([captured(packet, 1.0) for packet in packets], zoom=2)
    shapes = [shape for shape in drawn(view) if shape.key is not None]
    comb = max((one for one in shapes if isinstance(one, Line)), key=lambda one: len(one.points))
    lengths = [
        bottom - top for top, bottom in zip(comb.points[1::6], comb.points[3::6], strict=True)
    ]
    count = len(standard()[0])
    assert len(lengths) == count - 2  # that simply came
    assert lengths[-1] > lengths[0] and len({round(length, 3) for length in lengths[:-1]}) == 1
    (ring,) = [shape for shape in shapes if isinstance(shape, Oval)]
    assert (ring.outline, ring.fill) == ("warning", None)
    crossed = [one for one in shapes if isinstance(one, Line) and one.colour == "bad"]
    tick, stroke = crossed  # and the cross at its end
    assert tick.points[2:] == ((stroke.points[0] + stroke.points[2]) / 2, stroke.points[1])
    last = (65529 + count) & 65535
    assert any(
        not lacks(text, f"{count} packets", "1 lost", "1 out of order", f"65530–{last}")
        for text in texts(view)
    )


def test_a_row_tells_what_changes_in_it_later():
    packets = standard()[0]
    ladder = Ladder()
    view = LadderView(ladder)
    for packet, words in ((0, "seq 65530"), (2, "1 lost"), (1, "1 out of order"), (1, "1 again")):
        ladder.add([captured(packets[packet], 1.0)])
        ladder.take()
        view.update()
        assert any(words in text for text in texts(view)), words
    assert not any("lost" in text for text in texts(view) if "seq" in text)


def test_a_row_that_is_too_full_leaves_its_frames_uncounted_before_a_word_is_cut():
    packets = [packet for frame in standard()[:4] for packet in frame]
    swapped = [packet for pair in zip(packets[1::2], packets[::2], strict=False) for packet in pair]
    came = [*swapped[:6], *swapped[9:], *swapped[-3:-1]]
    (full,) = {
        text
        for text in texts(view_of([captured(packet, 1.0) for packet in came]))
        if " lost" in text
    }
    assert full.endswith(" again") and "out of order" in full and "frames" not in full


def test_an_empty_ladder_says_so():
    assert any("press Setup" in text for text in texts(view_of([])))
    assert not any("press Setup" in text for text in texts(view_of(SESSION)))


def test_arrows_leave_the_client_rightwards_and_the_server_leftwards_at_their_times():
    view = view_of(SESSION[:4])
    heads = [shape for shape in drawn(view) if isinstance(shape, Polygon)]
    xs = [head.points[0] for head in heads]
    assert xs == [max(xs), min(xs), max(xs), min(xs)]
    ys = [row.y for row in view.rows]
    assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(ys))
    assert {"SETUP · CSeq 1", "0.000", "0.100", "0.113"} <= set(texts(view))


def test_frames_share_a_row_where_it_stands_for_a_longer_time():
    frames = lab_frames(200)
    rows = [len(view_of(frames, zoom).rows) for zoom in (2, 1, 0, -1, -2)]
    assert rows[0] > rows[1] > rows[2] > rows[3] > rows[4] >= 1
    view = view_of(frames)
    assert view.span == SPANS[2]
    assert any(text.startswith("5 frames · ") for text in texts(view))


@pytest.mark.parametrize("count", [1, 7, 85, 400, 5000])
def test_there_is_room_for_the_ticks_of_any_frame_and_none_that_is_lost_is_missed(count):
    ladder = ladder_of(
        captured(pack_header(number == count - 1, 26, number, 1, 1) + b"x", 1.0)
        for number in range(count)
        if number != count // 2 or count < 3
    )
    (bundle,) = ladder.events
    marks = marks_of([bundle], 300.0)
    assert 0 <= marks[-1].x <= 300 and marks[-1].is_long
    assert (Fate.LOST in {mark.fate for mark in marks}) == (count >= 3)
    many = marks_of([bundle] * 9, 300.0)
    assert many[-1].x <= 300 and {mark.is_long for mark in many} >= {True}


def test_a_long_pause_is_cut_short_and_told():
    view = view_of([SESSION[0], message(True, "TEARDOWN m RTSP/1.0", 400.0)])
    assert view.rows[1].y < 100
    assert "⋮ 6 min" in texts(view) or "⋮ 7 min" in texts(view)


def test_it_follows_the_newest_until_somebody_scrolls_back():
    ladder = Ladder()
    view = LadderView(ladder)

    def come(first: int, count: int) -> None:
        ladder.add(
            [
                message(True, f"OPTIONS * RTSP/1.0\r\nCSeq: {n}\r\n\r\n", n)
                for n in range(first, first + count)
            ]
        )
        ladder.take()
        view.update()

    come(1, 50)
    assert "OPTIONS · CSeq 50" in texts(view) and "OPTIONS · CSeq 1" not in texts(view)
    assert view.fractions[1] == 1.0
    view.scroll(-200)
    assert not view.follows
    before = drawn(view)
    come(51, 50)
    assert drawn(view) == before
    view.scroll_to(0.0)
    assert "OPTIONS · CSeq 1" in texts(view) and view.fractions[0] == 0.0
    view.scroll_pages(0.9)
    assert "OPTIONS · CSeq 1" not in texts(view)
    view.follows = True
    assert "OPTIONS · CSeq 100" in texts(view)


def test_zooming_keeps_the_place():
    frames = lab_frames(400)
    view = view_of(frames)
    drawn(view)
    view.scroll_to(0.5)
    place = min(row.when for row in view.rows if row.y >= view._top)
    view.zoom(2)
    assert min(row.when for row in view.rows if row.y >= view._top) == pytest.approx(place, abs=0.3)


def test_a_click_opens_the_message_or_the_packet_at_that_place():
    view = view_of(SESSION, zoom=2)
    drawn(view)
    view.scroll_to(0.0)
    first, bundle = view.rows[0], next(row for row in view.rows if row.bundles)
    assert view.entry_at(first, 200.0, WIDTH) is SESSION[0]
    comb = next(
        shape
        for shape in drawn(view, 2000)
        if isinstance(shape, Line) and shape.key is bundle and len(shape.points) > 10
    )
    for index, x in enumerate(comb.points[0::6]):
        assert view.entry_at(bundle, x, WIDTH) is SESSION[4 + index]


def test_a_frame_of_which_nothing_came_opens_nothing_and_does_not_arrive():
    packets = lab()
    entries = [captured(packet, 1 + n) for n, packet in enumerate(packets) if n != 2]
    view = view_of(entries, zoom=2)
    lost = next(row for row in view.rows if not any(tick.packet for tick in row.bundles[0].ticks))
    assert view.entry_at(lost, 200.0, WIDTH) is None
    mine = [shape for shape in drawn(view, 2000) if shape.key is lost]
    assert not any(isinstance(shape, Polygon) for shape in mine)


def test_rows_of_what_is_forgotten_are_gone():
    ladder = Ladder()
    view = LadderView(ladder)
    for n in range(300):
        ladder.add([captured(pack_header(1, 26, n, n, 1), float(n))])
    ladder.take()
    view.update()
    assert len(view.rows) == 300
    ladder.forget_before(250.0)
    assert view.update() and len(view.rows) == 50
    assert view.rows[0].when == 250.0
    drawn(view)
    view.zoom(1)
    assert len(view.rows) == 50


def test_what_is_seen_stays_within_the_page():
    view = view_of([*SESSION, *lab_frames(60, 1.0)[6:]])
    for zoom in (2, -1, -1, -1, -1):
        view.zoom(zoom)
        for shape in drawn(view):
            if isinstance(shape, Line):
                assert 0 <= min(shape.points[::2]) and max(shape.points[::2]) <= WIDTH
            if isinstance(shape, Text) and shape.anchor == "s":
                assert len(shape.text) * 6.4 < WIDTH - 80


@pytest.mark.parametrize("zoom", [-4, 0, 4])
def test_a_page_of_any_width_can_be_drawn(zoom):
    """One that is opened for the first time has no width at first."""
    view = view_of([*SESSION, *lab_frames(300)], zoom)
    for width in range(int(WIDTH)):
        assert view.shapes(width, HEIGHT, "h:554")


def test_nothing_of_a_row_is_cut_by_the_heading_or_by_the_legend():
    view = view_of(lab_frames(200), 2)
    bar = [shape for shape in drawn(view) if isinstance(shape, Rectangle)]
    heading, legend = min(one.bottom for one in bar), max(one.top for one in bar)
    view.scroll_to(0.0)
    seen = set()
    for _ in range(60):
        for shape in drawn(view):
            if isinstance(shape, Text) and shape.text.startswith("seq"):
                assert heading <= shape.y - 16 and shape.y <= legend
                seen.add(shape.text)
            if isinstance(shape, Line) and shape.key is not None:
                assert max(shape.points[1::2]) <= legend  # nor a tick, nor its cross
        view.scroll(7.0)
    assert len(seen) > 10
