"""The incremental parser of requests: golden bytes in any pieces, limits, time, and nonsense."""

from __future__ import annotations

import time
from itertools import product

import pytest
from cases import check_each
from hypothesis import given, settings
from hypothesis import strategies as st
from lab_clients import FORMS, JAVA, LF_BLANK, OLDER_FORMS, USUAL
from parsing import (
    arrivals,
    bodies,
    content,
    contents,
    drain,
    fields,
    lab_forms,
    numbers,
    one_by_one,
    parsed,
    with_length,
    words,
)

from rtplab.protocol.rtsp import lab
from rtplab.protocol.rtsp.messages import (
    STANDARD_FORM,
    Dialect,
    Form,
    Headers,
    InterleavedFrame,
    Request,
    Response,
)
from rtplab.protocol.rtsp.parser import (
    MAX_BODY,
    MAX_HEAD,
    MAX_HEADERS,
    MAX_REQUEST_LINE,
    QUIET_PERIOD,
    REPEAT_PERIOD,
    USELESS_PERIOD,
)
from rtplab.protocol.rtsp.requestparser import REQUEST_TIMEOUT, SILENCE_TIMEOUT, RequestParser

LAB, STANDARD = Dialect.LAB, Dialect.STANDARD
URI = "rtsp://[::1]:5678/movie.Mjpeg"
TRIES = 3


def the_request(data):
    """The only message in `data`, which is a request."""
    [request] = parsed(RequestParser(), [data])
    return request


# --- Requests of the standard dialect ------------------------------------------------------------


def standard(method, uri=URI, headers=(), body=b"", eol="\r\n", cseq="1"):
    fields = [("CSeq", cseq), *headers] + ([("Content-Length", str(len(body)))] if body else [])
    return method, uri, cseq, fields, body, STANDARD, Form(eol, True), None


BINARY = bytes(range(256)) + b"\r\n\r\n"
TRANSPORT = "RTP/AVP;unicast;client_port=25000-25001"

STANDARD_REQUESTS = {
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n": standard("OPTIONS", "*"),
    b"DESCRIBE %s RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n" % URI.encode(): standard(
        "DESCRIBE", headers=[("Accept", "application/sdp")]
    ),
    b"SETUP %s RTSP/1.0\r\nCSeq: 1\r\nTransport: %s\r\n\r\n"
    % (URI.encode(), TRANSPORT.encode()): standard("SETUP", headers=[("Transport", TRANSPORT)]),
    b"PLAY %s RTSP/1.0\r\nCSeq: 1\r\nSession: 7\r\nRange: npt=0-\r\n\r\n" % URI.encode(): standard(
        "PLAY", headers=[("Session", "7"), ("Range", "npt=0-")]
    ),
    b"PLAY %s RTSP/1.0\nCSeq: 1\n\n" % URI.encode(): standard("PLAY", eol="\n"),
    b"PAUSE %s RTSP/1.0\r\nCSeq: 1\r\n \t\r\n" % URI.encode(): standard("PAUSE"),
    b"SET_PARAMETER %s RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 260\r\n\r\n%s"
    % (URI.encode(), BINARY): standard("SET_PARAMETER", body=BINARY),
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: one,\r\n two,\r\n\tthree\r\n\r\n": standard(
        "OPTIONS", "*", headers=[("X", "one, two, three")]
    ),
    b"OPTIONS * RTSP/1.0\r\nCSeq:1\r\nEmpty:\r\nno header\r\n\r\n": standard(
        "OPTIONS", "*", headers=[("Empty", "")]
    ),
    "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: déjà\r\n\r\n".encode(): standard(
        "OPTIONS", "*", headers=[("X", "déjà")]
    ),
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: \xff\r\n\r\n": standard(
        "OPTIONS", "*", headers=[("X", "\udcff")]
    ),
}
STANDARD_ITEMS = pytest.mark.parametrize(
    ("data", "expected"), STANDARD_REQUESTS.items(), ids=lambda value: str(value)[:60]
)


@STANDARD_ITEMS
def test_standard_request_whole(data, expected):
    parser = RequestParser()
    parser.feed(data, 0.0)
    assert contents(drain(parser)) == [expected]
    assert parser.deadline() is None


@STANDARD_ITEMS
def test_standard_request_byte_by_byte(data, expected):
    assert contents(parsed(RequestParser(), one_by_one(data))) == [expected]


@STANDARD_ITEMS
def test_standard_request_with_trailing_data(data, expected):
    parser = RequestParser()
    parser.feed(data + b"OPTIONS * RTSP/1.0\r\nCSeq: 2", 0.0)
    assert contents(drain(parser)) == [expected]
    parser.feed(b"\r\n\r\n", 0.0)
    assert contents(drain(parser)) == [standard("OPTIONS", "*", cseq="2")]


CONVERSATION = (
    b"\r\n\r\n"
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    b"$\x00\x00\x04\r\n\r\n"
    b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\n$\x00\r\n"
    b"$\x01\x00\x00"
    b"\n"
    b"$\xff\x00\x05OPTIO"
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
)
CONVERSATION_CONTENT = [
    standard("OPTIONS", "*"),
    (0, b"\r\n\r\n"),
    standard("SET_PARAMETER", "*", body=b"$\x00\r\n"),
    (1, b""),
    (255, b"OPTIO"),
    standard("OPTIONS", "*"),
]


def test_requests_and_interleaved_frames_split_anywhere():
    for point in range(len(CONVERSATION) + 1):
        pieces = [CONVERSATION[:point], CONVERSATION[point:]]
        assert contents(parsed(RequestParser(), pieces)) == CONVERSATION_CONTENT, point


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12).map(sorted))
def test_requests_and_interleaved_frames_in_any_pieces(points):
    bounds = [0, *points, len(CONVERSATION)]
    pieces = [CONVERSATION[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    assert contents(parsed(RequestParser(), pieces)) == CONVERSATION_CONTENT


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS rtsp://h/m RTSP/2.0", 505),
        (b"OPTIONS rtsp://h/m RTSP/1.1", 505),
        (b"OPTIONS rtsp://h/m HTTP/1.1", 400),
        (b"OPTIONS rtsp://h/m", 400),
        (b"OPTIONS  rtsp://h/m rtsp/1.0", 400),
        (b"OPTI.ONS rtsp://h/m RTSP/1.0", 400),
        (b"2PLAY rtsp://h/m RTSP/1.0", 400),
        (b"A" * 33 + b" rtsp://h/m RTSP/1.0", 400),
        (b"", 400),
        (b" ", 400),
        (b"\x0b", 400),
        (b"\x00\x01\x02", 400),
        (b"\xff\xfe", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
)
def test_what_is_no_request_line_is_answered_and_the_connection_lives(line, status):
    parser = RequestParser()
    parser.feed(b" " * (not line) + line + b"\r\nCSeq: 3\r\n\r\n", 0.0)
    [request] = drain(parser)
    assert (request.problem.status, request.problem.fatal) == (status, False)
    parser.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", 1.0)
    assert contents(drain(parser, 1.0)) == [standard("OPTIONS", "*")]


@pytest.mark.parametrize("cseq", [b"", b"CSeq:\r\n", b"CSeq: -1\r\n", b"CSeq: x\r\n"])
def test_a_standard_request_needs_a_number(cseq):
    request = the_request(b"OPTIONS * RTSP/1.0\r\n" + cseq + b"Accept: x\r\n\r\n")
    assert request.problem.status == 400
    assert "CSeq" in str(request.problem)
    assert request.cseq == ""


def test_a_number_that_is_a_number_only_to_unicode_is_none():
    request = the_request("OPTIONS * RTSP/1.0\r\nCSeq: ١\r\n\r\n".encode())
    assert request.problem.status == 400


@pytest.mark.parametrize(
    "head",
    [
        b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n",
        b"OPTIONS * RTSP/1.0\r\n",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n" + b"X: y\r\n" * MAX_HEADERS,
    ],
    ids=["version", "no number", "headers"],
)
@pytest.mark.parametrize("split", [False, True])
def test_the_body_of_a_request_that_is_refused_is_not_taken_for_a_request(head, split):
    data = head.replace(b"\r\n", b"\r\nContent-Length: 8\r\n", 1) + b"\r\nA B\r\nC D"
    following = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    pieces = [data[:-3], data[-3:] + following] if split else [data + following]
    refused, served = parsed(RequestParser(), pieces)
    assert refused.problem and not refused.problem.fatal
    assert content(served) == standard("OPTIONS", "*")


# --- Requests of the lab dialect -----------------------------------------------------------------


def lab_request(form, method, number=1):
    return form.request(method, number, rtp_port=25000, session=123456, server=("host", 5678))


def checked(request, form, method):
    """Check what every form of a lab request must have said."""
    assert request.problem is None
    assert (request.method, request.dialect) == (method, LAB)
    assert request.form == Form("\r\n" if form.crlf else "\n", form.blank_line)
    assert request.cseq == "1"
    if method == "SETUP":
        assert request.headers.get("Transport") == "RTP/UDP;client_port=25000"
    elif form not in OLDER_FORMS:
        assert request.headers.get("Session") == "123456"
    if method == "SETUP" or "no name" not in form.name:
        assert request.uri.endswith("movie.Mjpeg")
        assert " " not in request.uri
    return True


BY_FORM = pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
METHODS = ("SETUP", "PLAY", "PAUSE", "TEARDOWN")


def test_lab_request_whole_and_byte_by_byte():
    check_each(product(FORMS, METHODS), assert_whole_and_byte_by_byte)


def assert_whole_and_byte_by_byte(form, method):
    setup, data = lab_request(form, "SETUP"), lab_request(form, method)
    results = []
    for pieces in ([data], one_by_one(data)):
        parser = RequestParser()
        parsed(parser, [setup])
        [request] = parsed(parser, pieces)
        assert checked(request, form, method)
        results.append(content(request))
    assert results[0] == results[1]


def test_lab_request_split_anywhere():
    check_each(zip(FORMS, strict=True), assert_split_anywhere)


def assert_split_anywhere(form):
    data = lab_request(form, "SETUP")
    expected = contents(parsed(RequestParser(), [data]))
    for point in range(len(data)):
        parser = RequestParser()
        assert contents(parsed(parser, [data[:point], data[point:]])) == expected, data[:point]


SEPARABLE = [form for form in FORMS if form.setup.endswith("\n") and form not in OLDER_FORMS]


@pytest.mark.parametrize("form", SEPARABLE, ids=[form.name for form in SEPARABLE])
def test_lab_requests_that_come_together_are_told_apart(form):
    """At every split point, and without waiting for the first but where nothing marks its end."""
    data = b"".join(lab_request(form, method) for method in METHODS)
    whole = parsed(RequestParser(), [data])
    assert len(whole) == len(METHODS)
    for request, method in zip(whole, METHODS, strict=True):
        checked(request, form, method)
    for point in range(1, len(data)):
        pieces = [data[:point], data[point:]]
        assert contents(parsed(RequestParser(), pieces)) == contents(whole), pieces[0]


@pytest.mark.parametrize("form", [USUAL, JAVA, *OLDER_FORMS], ids=lambda form: form.name)
def test_a_lab_request_without_a_blank_line_waits_for_the_quiet_period(form):
    parser = RequestParser()
    parser.feed(lab_request(form, "SETUP"), 5.0)
    assert parser.next(5.0) is None
    assert parser.deadline() == pytest.approx(5.0 + QUIET_PERIOD)
    assert parser.next(5.0 + QUIET_PERIOD * 0.99) is None
    assert parser.next(5.0 + QUIET_PERIOD).method == "SETUP"
    assert parser.deadline() is None
    assert parser.next(100.0) is None


def test_each_byte_starts_the_quiet_period_anew():
    data = lab_request(USUAL, "SETUP")
    parser = RequestParser()
    for at, byte in enumerate(one_by_one(data)):
        now = at * QUIET_PERIOD * 0.9
        parser.feed(byte, now)
        assert parser.next(now) is None
    assert parser.next(now + QUIET_PERIOD).headers.get("Transport").endswith("=25000")


def test_a_lab_request_with_a_blank_line_does_not_wait():
    parser = RequestParser()
    parser.feed(lab_request(LF_BLANK, "SETUP"), 5.0)
    assert parser.next(5.0).method == "SETUP"


def test_a_blank_line_that_comes_late_belongs_to_no_request():
    parser = RequestParser()
    parser.feed(lab_request(JAVA, "SETUP"), 0.0)
    assert parser.next(1.0).method == "SETUP"
    parser.feed(b"\r\n", 2.0)
    assert parser.next(2.0) is None
    assert parser.deadline() is None


@pytest.mark.parametrize(
    "data",
    [
        b"SETUP rtsp://h/m",
        b"OPTIONS *",
        b"SETUP rtsp://h/m RTSP/1.0\nCSeq: 1",
        b"SETUP rtsp://h/m RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP",
        b"PLAY rtsp://h/m RTSP/1.0\nSession: 5\n",
        b"OPTIONS * RTSP/1.0\nCSeq: 1\n",
    ],
)
def test_an_absolute_uri_waits_for_its_blank_line(data):
    parser = RequestParser()
    parser.feed(data, 0.0)
    for now in (QUIET_PERIOD, REPEAT_PERIOD, USELESS_PERIOD, SILENCE_TIMEOUT - 0.1):
        assert parser.next(now) is None
    assert parser.deadline() == SILENCE_TIMEOUT
    assert parser.next(SILENCE_TIMEOUT).problem.status == 408


SETUP_LAB = b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000\n\n"
LACKING = {
    b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\n": ("PLAY", "movie.Mjpeg", "2"),
    b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2": ("PLAY", "movie.Mjpeg", "2"),
    b"PLAY movie.Mjpeg\r\nCSeq: 2\r\n": ("PLAY", "movie.Mjpeg", "2"),
    b"PLAY movie.Mjpeg RTSP/1.0\n": ("PLAY", "movie.Mjpeg", ""),
    b"PAUSE movie.Mjpeg RTSP/1.0\nCSeq: 3": ("PAUSE", "movie.Mjpeg", "3"),
    b"TEARDOWN movie.Mjpeg RTSP/1.0\nCSeq: 4": ("TEARDOWN", "movie.Mjpeg", "4"),
    b"STOP movie.Mjpeg RTSP/1.0\nCSeq: 4": ("TEARDOWN", "movie.Mjpeg", "4"),
    b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nTransport: RTP/UDP; client_port= 25000": (
        "PLAY", "movie.Mjpeg", "2",
    ),
    b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: ": ("PLAY", "movie.Mjpeg", "2"),
    b"PLAY movie.Mjpeg RTSP/1.0\nSession: 123456": ("PLAY", "movie.Mjpeg", ""),
    b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: \nSession: 1": ("PLAY", "movie.Mjpeg", ""),
    b"PLAY \nCseq: 2": ("PLAY", "", "2"),
    b"PLAY\nCseq: 2\n": ("PLAY", "", "2"),
    b"SETUP movie.Mjpeg RTSP/1.0\nTransport: RTP/UDP; client_port= 25000": (
        "SETUP", "movie.Mjpeg", "",
    ),
    b"FROBNICATE movie.Mjpeg RTSP/1.0\n": ("FROBNICATE", "movie.Mjpeg", ""),
}  # fmt: skip
USELESS = [
    b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1",
    b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= ",
    b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RAW/RAW/UDP\n",
    b"SETUP movie.Mjpeg\n1\n RTSP/1.0 RTP/UDP ",
    b"SETUP movie.Mjpeg\n1",
    b"SETUP movie.Mjpeg RTSP/1.0\n",
    b"SETUP movie.Mjpeg RTSP/1.0",
]


@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "bytes"])
@pytest.mark.parametrize(("data", "said"), LACKING.items(), ids=map(repr, LACKING))
def test_what_lacks_its_session_or_number_is_carried_out_after_a_second(data, said, split):
    parser = RequestParser()
    for piece in split(data):
        parser.feed(piece, 5.0)
        assert parser.next(5.0) is None
    assert parser.next(5.0 + QUIET_PERIOD) is None
    assert parser.deadline() == 5.0 + REPEAT_PERIOD
    assert parser.next(4.99 + REPEAT_PERIOD) is None
    request = parser.next(5.0 + REPEAT_PERIOD)
    assert (request.method, request.uri, request.cseq) == said
    assert (request.problem, request.dialect) == (None, LAB)
    assert parser.deadline() is None


@pytest.mark.parametrize("data", [data for data in LACKING if data.endswith(b"\n")])
def test_what_lacks_something_and_a_request_that_follows_at_once(data):
    following = b"TEARDOWN movie.Mjpeg RTSP/1.0\nCSeq: 9\nSession: 5\n\n"
    first, second = parsed(RequestParser(), [data + following])
    assert (first.method, first.uri, first.cseq) == LACKING[data]
    assert (second.method, second.cseq, second.problem) == ("TEARDOWN", "9", None)


@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "bytes"])
@pytest.mark.parametrize("data", USELESS)
def test_what_cannot_be_carried_out_is_refused_after_three_seconds(data, split):
    parser = RequestParser()
    for piece in split(data):
        parser.feed(piece, 5.0)
    assert parser.next(4.99 + USELESS_PERIOD) is None
    assert parser.deadline() == 5.0 + USELESS_PERIOD
    request = parser.next(5.0 + USELESS_PERIOD)
    assert (request.problem.status, request.problem.fatal) == (400, False)
    assert "client_port" in str(request.problem)
    parser.feed(SETUP_LAB, 20.0)
    assert parser.next(20.0).problem is None


@pytest.mark.parametrize("data", LACKING)
def test_what_is_lacking_may_come_in_a_second_segment(data):
    """TCP repeats a lost one after 0.2 to 1 s, and then it is one request as ever."""
    lines = b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: 5"
    parser = RequestParser()
    parser.feed(lines[:-10], 0.0)
    assert parser.next(0.9) is None
    parser.feed(lines[-10:], 0.9)
    request = parser.next(0.9 + QUIET_PERIOD)
    assert (request.cseq, request.headers.get("Session")) == ("2", "5")


LATE = [
    b"Session: 123456",
    b"CSeq: 2\nSession: 123456\n",
    b"Session: 123456\r\n\r\n",
    b"\r\nCSeq 2\r\nTransport RTP/UDP\r\n",
    b"2\n RTSP/1.0 RTP/UDP 25000\n",
    b"ion: 123456\n",
]


@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "bytes"])
@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize(
    ("data", "period"),
    [
        (b"PLAY movie.Mjpeg RTSP/1.0", USELESS_PERIOD),
        (b"PLAY movie.Mjpeg RTSP/1.0\n", REPEAT_PERIOD),
        (b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 2\n", USELESS_PERIOD),
        (b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: 1\n", QUIET_PERIOD),
    ],
)
def test_lines_that_come_late_for_an_answered_request_are_dropped(data, period, late, split):
    parser = RequestParser()
    parser.feed(data, 0.0)
    assert parser.next(period).method
    for piece in split(late):
        parser.feed(piece, 10.0)
        assert parser.next(10.0) is None
    assert parser.next(10.0 + REPEAT_PERIOD) is None
    assert parser.deadline() is None
    parser.feed(SETUP_LAB, 20.0)
    request = parser.next(20.0)
    assert (request.method, request.cseq, request.problem) == ("SETUP", "1", None)


def test_a_request_line_ends_the_late_lines():
    parser = RequestParser()
    parser.feed(b"PLAY movie.Mjpeg RTSP/1.0\n", 0.0)
    assert parser.next(REPEAT_PERIOD).method == "PLAY"
    parser.feed(b"CSeq: 2\nSession: 5\n" + SETUP_LAB + b"Session: 5\n", 2.0)
    setup, nonsense = drain(parser, 2.0)
    assert (setup.method, setup.cseq) == ("SETUP", "1")
    assert nonsense.problem.status == 400, "what belongs to nothing is not met by silence"


@pytest.mark.parametrize("line", [b"?!\n", b"PAUSE! movie.Mjpeg RTSP/1.0\n", b"\x00\n"])
def test_nonsense_after_an_answered_request_is_answered(line):
    parser = RequestParser()
    parser.feed(b"PLAY movie.Mjpeg RTSP/1.0\n", 0.0)
    assert parser.next(REPEAT_PERIOD).method == "PLAY"
    parser.feed(line, 2.0)
    assert parser.next(2.0).problem.status == 400


@pytest.mark.parametrize("pause", [0.5, 1.5, 8.0])
def test_a_setup_that_a_person_types(pause):
    """Line by line: the second is quickly there, the long one takes its time."""
    request_line, number, transport, blank = SETUP_LAB.splitlines(keepends=True)
    parser = RequestParser()
    for now, line in ((0.0, request_line), (1.5, number), (1.5 + pause, transport)):
        assert parser.next(now) is None
        parser.feed(line, now)
        assert parser.next(now) is None
    request = parser.next(now + QUIET_PERIOD)
    assert (request.method, request.cseq, request.problem) == ("SETUP", "1", None)
    assert request.headers.get("Transport").endswith("=25000")
    parser.feed(blank, now + pause)
    assert parser.next(now + pause) is None
    assert parser.deadline() is None


def test_who_types_no_more_is_told_so():
    parser = RequestParser()
    parser.feed(b"SETUP movie.Mjpeg RTSP/1.0\n", 0.0)
    parser.feed(b"CSeq: 1\n", 2.0)
    assert parser.next(2.0 + USELESS_PERIOD) is None
    assert parser.deadline() == 2.0 + SILENCE_TIMEOUT
    assert parser.next(2.0 + SILENCE_TIMEOUT).problem.status == 408


def test_a_play_that_a_person_types():
    """It is carried out after its first line, and the rest is no other request."""
    parser, now, requests = RequestParser(), 0.0, []
    for line in (b"PLAY movie.Mjpeg RTSP/1.0\r\n", b"CSeq: 2\r\n", b"Session: 5\r\n", b"\r\n"):
        parser.feed(line, now)
        now += 2.0
        requests += drain(parser, now)
    assert [(request.method, request.problem) for request in requests] == [("PLAY", None)]
    assert parser.deadline() is None


@pytest.mark.parametrize("ending", [b"", b"\r", b"\r\r"])
@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "bytes"])
def test_lines_that_end_in_cr_alone(split, ending):
    parser = RequestParser()
    for method, third in (
        ("SETUP", "Transport: RTP/UDP; client_port= 25000"),
        ("PLAY", "Session: 5"),
    ):
        data = f"{method} movie.Mjpeg RTSP/1.0\rCSeq: 1\r{third}".encode() + ending
        [request] = parsed(parser, split(data))
        assert (request.method, request.uri, request.cseq) == (method, "movie.Mjpeg", "1")
        assert request.form == Form("\n", ending == b"\r\r")
        assert len(request.headers) == 2


def test_a_cr_within_a_line_of_the_standard_ends_nothing():
    request = the_request(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: a\rCSeq: 2\r\n\r\n")
    assert (request.cseq, request.headers.get("X")) == ("1", "a\rCSeq: 2")
    request = the_request(b"OPTIONS rtsp://h/\rm RTSP/1.0\r\nCSeq: 1\r\n\r\n")
    assert request.form.eol == "\r\n"


VERSIONS = ["RTSP/1.0", "RTSP/1.4", "RTPS/1.0", "RTSP/1", "rtsp/1.0", "RTP/1.0", "Rtsp/1.0"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["movie.Mjpeg", "my best movie.Mjpeg", "films/no 1/0.Mjpeg", ""])
def test_the_last_word_is_the_version_however_it_is_spelt(name, version):
    data = f"SETUP {name} {version}\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000\n\n"
    assert the_request(data.encode()).uri == name


def test_without_a_version_all_is_the_name():
    for name in ("my movie.Mjpeg", "RTSP 1.0.Mjpeg", "rtsp/1.0/a movie.Mjpeg", "a RTSP/1.0x"):
        assert the_request(f"PLAY {name}\nCSeq: 1\nSession: 1\n\n".encode()).uri == name


@pytest.mark.parametrize("version", [v for v in VERSIONS if not v.startswith("RTSP/1.")])
def test_the_standard_has_one_spelling_of_its_version(version):
    request = the_request(f"PLAY rtsp://h/m {version}\r\nCSeq: 1\r\n\r\n".encode())
    assert request.problem.status in (400, 505)


@pytest.mark.parametrize("method", ["M-SEARCH", "PLAY2", "GET_PARAMETER", "X-1-2"])
@pytest.mark.parametrize("uri", ["movie.Mjpeg", "rtsp://h/m"])
def test_a_method_may_have_a_dash_or_a_digit(method, uri):
    request = the_request(f"{method} {uri} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
    assert (request.method, request.problem) == (method, None)


@pytest.mark.parametrize(
    "transport",
    [
        "Transport: RTP/UDP; client_port 25000",
        "Transport: RTP/UDP; clientport 25000",
        "Transport: RTP/UDP 25000",
        "Transport: RTP/UDP; 25000",
        'Transport: RTP/UDP; client_port="25000"',
        "Transport: RTP/UDP; client_port= '25000'",
        "Transport: 25000",
        "client_port 25000",
    ],
)
def test_the_port_in_other_spellings(transport):
    for lines in (f"CSeq: 7 RTSP/1.0\n{transport}", f"{transport}\nCSeq: 7"):
        request = the_request(f"SETUP movie.Mjpeg RTSP/1.0\n{lines}".encode())
        assert request.headers.get("Transport") == "RTP/UDP;client_port=25000"
        assert request.cseq == "7"


@pytest.mark.parametrize("line", ["SessionId: 5", "Session_ID: 5", "session-id 5", "Session = 5"])
def test_the_session_in_other_spellings(line):
    request = the_request(f"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1\n{line}".encode())
    assert request.headers.get("Session") == "5"


@pytest.mark.parametrize(
    "first_lines",
    [
        b"SETUP movie.Mjpeg RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/UDP; client_port= 25000\r\n",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n",
    ],
    ids=["lab", "standard"],
)
def test_the_largest_head_byte_by_byte_costs_no_time(first_lines):
    """Each byte is looked at once, not with every one that follows it."""
    head = first_lines + (b"X: " + b"y" * 160 + b"\r\n") * 97
    parser, started = RequestParser(), time.process_time()
    for at, byte in enumerate(one_by_one(head)):
        now = at * QUIET_PERIOD / 100
        parser.feed(byte, now)
        assert parser.next(now) is None
        parser.deadline()
    assert time.process_time() - started < 1.0  # seconds; to read all anew takes 3


def test_after_a_lab_setup_the_connection_speaks_lab_whatever_the_uri():
    parser = RequestParser()
    setup = b"SETUP rtsp://h/movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000"
    play = b"PLAY rtsp://h/movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: 123456"
    assert parsed(parser, [setup])[0].dialect is LAB
    [request] = parsed(parser, [play])
    assert (request.dialect, request.method, request.cseq) == (LAB, "PLAY", "2")


def test_an_absolute_uri_with_a_standard_transport_is_standard():
    data = b"SETUP rtsp://h/movie.Mjpeg RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast\r\n\r\n"
    assert the_request(data).dialect is STANDARD


@pytest.mark.parametrize("line", [b"?!", b"\x1b[2J", b"SETUP! m RTSP/1.0"])
def test_what_is_no_request_line_is_shown_escaped(line):
    parser = RequestParser()
    parsed(parser, [lab_request(USUAL, "SETUP")])
    for speaker in (parser, RequestParser()):
        [request] = parsed(speaker, [line + b"\nCSeq: 1\n\n"])
        shown = line.decode().replace("\x1b", "\\x1b")
        assert str(request.problem).endswith(f": {shown}")


def test_a_file_name_may_have_spaces():
    assert the_request(b"PLAY my best movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: 1").uri == (
        "my best movie.Mjpeg"
    )


def test_methods_are_known_in_any_case():
    assert the_request(b"Play movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: 1").method == "PLAY"


def test_a_body_needs_a_blank_line_before_it():
    """A lab head that nothing ends has no body to wait for, whatever it says."""
    data = b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: 1\nContent-Length: 9"
    request = the_request(data)
    assert (request.method, request.body) == ("PLAY", b"")


# --- Limits and time -----------------------------------------------------------------------------


def head_of(length):
    """A standard request of `length` bytes."""
    start, end = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: ", b"\r\n\r\n"
    return start + b"y" * (length - len(start) - len(end)) + end


def test_the_largest_head():
    assert the_request(head_of(MAX_HEAD)).problem is None


@pytest.mark.parametrize("data", [head_of(MAX_HEAD + 1), b"y" * (MAX_HEAD + 1)], ids=["head", "y"])
def test_a_head_that_is_too_large_ends_the_connection(data):
    parser = RequestParser()
    parser.feed(data, 0.0)
    [request] = drain(parser)
    assert (request.problem.status, request.problem.fatal) == (400, True)
    assert str(MAX_HEAD) in str(request.problem)
    assert parser.next(0.0) is None


@pytest.mark.parametrize(("surplus", "status"), [(0, None), (1, 414)])
def test_the_longest_request_line(surplus, status):
    uri = b"rtsp://h/" + b"m" * (MAX_REQUEST_LINE + surplus - len("PLAY rtsp://h/ RTSP/1.0"))
    request = the_request(b"PLAY " + uri + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n")
    assert (request.problem and request.problem.status) == status
    assert not (request.problem and request.problem.fatal)


@pytest.mark.parametrize(("lines", "status"), [(MAX_HEADERS - 2, None), (MAX_HEADERS - 1, 400)])
def test_most_headers(lines, status):
    request = the_request(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n" + b"X: y\r\n" * lines + b"\r\n")
    assert (request.problem and request.problem.status) == status
    assert not (request.problem and request.problem.fatal)


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(MAX_BODY + 1), 413),
        ("999999999", 413),
        ("9" * 30, 400),
        ("-1", 400),
        ("+1", 400),
        ("1.0", 400),
        ("0x10", 400),
        ("", 400),
        ("a lot", 400),
        ("١", 400),
    ],
)
def test_a_content_length_that_cannot_be_obeyed_ends_the_connection(length, status):
    data = f"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {length}\r\n\r\n".encode()
    request = the_request(data)
    assert (request.problem.status, request.problem.fatal) == (status, True)


@pytest.mark.parametrize("length", [0, 1, MAX_BODY])
def test_a_body_of_any_allowed_length(length):
    head = b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: %d\r\n\r\n" % length
    assert the_request(head + b"b" * length).body == b"b" * length
    if length:
        assert parsed(RequestParser(), [head + b"b" * (length - 1)]) == []


UNFINISHED = [
    b"OPTIONS * RTSP/1.0\r\nCS",
    b"PLAY rtsp://h/m RTSP/1.0\nCSeq: 1",
    b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\n1234",
    b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: 1\nContent-Length: 5\n\n1234",
    b"$\x00\x00\x05abcd",
    b"$",
]


@pytest.mark.parametrize("data", UNFINISHED)
def test_silence_in_the_middle_of_a_message_ends_the_connection(data):
    parser = RequestParser()
    parser.feed(data, 3.0)
    assert parser.next(3.0) is None
    assert parser.deadline() == 3.0 + SILENCE_TIMEOUT
    assert parser.next(2.9 + SILENCE_TIMEOUT) is None
    request = parser.next(3.0 + SILENCE_TIMEOUT)
    assert (request.problem.status, request.problem.fatal) == (408, True)


def test_a_dribbling_peer_has_a_minute_for_a_message():
    parser = RequestParser()
    for second in range(0, int(REQUEST_TIMEOUT), 5):
        parser.feed(b"S", float(second))
        assert parser.next(second + QUIET_PERIOD) is None
    assert parser.deadline() == REQUEST_TIMEOUT
    parser.feed(b"S", REQUEST_TIMEOUT - 0.1)
    assert parser.next(REQUEST_TIMEOUT - 0.1) is None
    assert parser.next(REQUEST_TIMEOUT).problem.status == 408


def test_the_minute_counts_for_each_message_anew():
    parser = RequestParser()
    for second in range(0, 300, 9):
        parser.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTI", float(second))
        assert parser.next(float(second)).problem is None
        assert parser.next(float(second)) is None
        parser.feed(b"ONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", second + 1.0)
        assert parser.next(second + 1.0).problem is None


@pytest.mark.parametrize(
    "line",
    [
        b"SETUP x" + b" " * 16000 + b"y",
        b"SETUP x\nCSeq" + b" " * 16000 + b"x y",
        b"SETUP x\nSession" + b" " * 16000 + b"x y",
        b"SETUP rtsp://x\nTransport" + b" " * 16000 + b"x y",
        b"SETUP x\nTransport:" + b"port " * 3200,
        b"SETUP x\nRTSP/1.0 " + b" " * 16000 + b"y",
        b"SETUP x\nclient_port" + b" " * 16000 + b"x",
        b"SETUP x\nRTP/UDP" + b" " * 16000 + b"x",
        b"SETUP x\nCSeq 1" + b" " * 16000 + b"x y",
        b"SETUP x\nSessionId" + b" " * 16000 + b"x y",
        b"SETUP x\nA " + b"RTSP/1 " * 2200 + b"x\n",
        b"SETUP x" + b"\nA RTSP/1 x" * 1400 + b"\n",
        b"SETUP x" + b"\rx" * 8000,
        b"SETUP rtsp://x" + b"\nPLAY x" * 2000 + b"\n",
        b"SETUP x\n1\n" + b"a\n" * 8000,
        b"SETUP x\n1\n" + b"\n ".join([b"a:"] * 4000),
        b"S" * 16000,
        b"\n " * 8000,
        b"SETUP x RTSP/1.0 " + b"\\n" * 8000,
        b"SETUP x RTSP/1.0 " + b"RTSP/1.0 " * 1800,
        b"SETUP x " + b"RTSP/1.0" * 2000,
        b"SETUP x\n" + b"CSeq" * 4000,
        b"SETUP x\nCSeq" + b"x" * 16000,
        b"SETUP x\nA" + b" a" * 8000,
        b"SETUP x\nSession" + b":" * 16000,
        b"SETUP x\nport" + b" " * 16000,
        b"OPTIONS * RTSP/1.0" + b"\rx" * 8000,
        b"\xef\xbb\xbf" * 5000,
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_hostile_head_costs_no_time(line):
    """Everything that a byte more makes the parser look at anew, 20 times.

    What is quadratic takes 50 seconds. One of the tries must be fast enough: a machine that is
    itself held up counts that as our time.
    """
    assert any(cpu_seconds_of_a_dribble(line) < 1.0 for _ in range(TRIES))


def cpu_seconds_of_a_dribble(line):
    parser = RequestParser()
    parser.feed(line, 0.0)
    started = time.process_time()
    for now in range(20):
        parser.feed(b"y", now / 20)
        parser.next(now / 20)
        parser.deadline()
        parser.next(now / 20 + QUIET_PERIOD)
    return time.process_time() - started


# --- Anything at all -----------------------------------------------------------------------------


@settings(max_examples=2 * settings.default.max_examples)
@given(arrivals)
def test_any_bytes_at_any_time_give_requests_frames_or_nothing(pieces):
    parser, now = RequestParser(), 0.0
    for data, pause in pieces:
        parser.feed(data, now)
        now += pause
        for message in drain(parser, now):
            assert isinstance(message, (Request, InterleavedFrame))
            if isinstance(message, Request):
                assert message.problem or message.method
                message.serialise()
                Response(400).serialise(message)
                if message.problem and message.problem.fatal:
                    return
        check_deadline(parser, now)


LAB_TOKENS = [
    *("SETUP ", "PLAY", "STOP ", "movie.Mjpeg", "RTSP/1.0", "RTP/UDP", "TCP/UDP ;", "rtsp://h/m"),
    *(
        "CSeq: ",
        "CSeq 1",
        "Session",
        "Transport:",
        "client_port=",
        "port: ",
        "25000",
        "²",
        "9" * 99,
    ),
    *(" ", "\t", ":", "*", "\udcff", "1", "RTPS/1", "client_port 5", "SessionId: ", '"', "\r"),
]
lab_lines = st.lists(
    st.lists(st.one_of(st.sampled_from(LAB_TOKENS), st.text(max_size=3)), max_size=6).map("".join),
    min_size=1,
    max_size=6,
)


@given(lab_lines)
def test_any_lines_are_a_lab_request_or_have_a_problem(lines):
    request = lab.parse_request(lines, Form("\n", False))
    assert request.problem or request.method == request.method.upper()
    assert (lab.parse_request_line(lines[0]) is None) is (request.problem is not None)
    assert request.cseq.isdigit() or not request.cseq
    looks = (
        lab.is_lab_head,
        lab.is_executable,
        lab.is_complete,
        lab.is_complete_response,
        lab.is_response_without_session,
    )
    for look in looks:
        assert look(lines) in (True, False)
    for line in lines:
        assert not (lab.has_bare_name(line) and lab.parse_request_line(line) is None)
        assert lab.is_field_line(line) in (True, False)
        assert lab.begins_next_request(line) in (True, False)
    assert lab.is_executable(lines) or not lab.is_complete(lines)
    meant = lab.as_meant(lines)
    assert lab.as_meant(meant) == meant
    for what, found, right in lab.mistakes(lines, lab.parse_request(meant, Form("\n", False))):
        assert what and right and (found is None or isinstance(found, str))
    port = lab.client_port(lines)
    assert port is None or 0 <= port < 10**6
    said = request.headers.get("Transport").startswith("RTP/UDP;client_port=")
    assert request.problem or said is (port is not None)


def check_deadline(parser, now):
    """A caller that waits until the deadline never spins, and nobody waits for ever."""
    deadline = parser.deadline()
    if deadline is None:
        assert not parser._buffer
    else:
        assert now < deadline <= now + SILENCE_TIMEOUT
        assert len(parser._buffer) <= MAX_HEAD + 4 + 0xFFFF


# --- Serialise, then parse -----------------------------------------------------------------------

methods = st.sampled_from(["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN"])


@given(methods, words, numbers, fields, bodies, st.floats(0, 1))
def test_standard_request_survives_the_journey(method, path, cseq, headers, body, cut):
    uri = "rtsp://host/" + path
    data = Request(method, uri, Headers(headers), cseq, body).serialise()
    expected = [("CSeq", cseq), *with_length(headers, body)]
    point = round(cut * len(data))
    for pieces in ([data], [data[:point], data[point:]]):
        assert contents(parsed(RequestParser(), pieces)) == [
            (method, uri, cseq, expected, body, STANDARD, STANDARD_FORM, None)
        ]


lab_names = st.from_regex(r"[\w.][\w./ -]{0,30}[\w]\.Mjpeg", fullmatch=True).filter(
    lambda name: " ".join(name.split()) == name
)


@given(lab_names, numbers, st.integers(1024, 65535), lab_forms)
def test_lab_setup_survives_the_journey(name, cseq, port, form):
    headers = Headers([("Transport", f"RTP/UDP; client_port= {port}")])
    data = Request("SETUP", name, headers, cseq, b"", LAB, form).serialise()
    expected = [("CSeq", cseq), ("Transport", f"RTP/UDP;client_port={port}")]
    assert contents(parsed(RequestParser(), [data])) == [
        ("SETUP", name, cseq, expected, b"", LAB, form, None)
    ]


@given(lab_names, numbers, st.sampled_from(["PLAY", "PAUSE", "TEARDOWN"]), words, lab_forms)
def test_lab_command_survives_the_journey(name, cseq, method, session, form):
    headers = Headers([("Session", session)])
    data = Request(method, name, headers, cseq, b"", LAB, form).serialise()
    expected = [("CSeq", cseq), ("Session", session)]
    assert contents(parsed(RequestParser(), [data])) == [
        (method, name, cseq, expected, b"", LAB, form, None)
    ]


def test_a_lone_cr_in_a_later_request_does_not_change_how_lines_end():
    parser = RequestParser()
    parser.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", 0.0)
    parser.feed(b"a\rb rtsp://h/m RTSP/1.0\r\nCSeq: 2\r\n\r\n", 0.0)
    parser.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\n\r\n", 0.0)
    requests = []
    while (request := parser.next(100.0)) is not None:
        requests.append(request)
    assert len(requests) == 3
    assert (requests[-1].method, requests[-1].cseq, requests[-1].problem) == ("OPTIONS", "3", None)
