"""The parser of replies: golden bytes of both dialects in any pieces, and nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import Dialect, Headers, InterleavedFrame, Request, Response
from rtplab.protocol.rtsp.parser import (
    MAX_BODY,
    MAX_HEAD,
    MAX_REQUEST_LINE,
    QUIET_PERIOD,
    REPEAT_PERIOD,
)
from rtplab.protocol.rtsp.responseparser import ResponseParser

LAB, STANDARD = Dialect.LAB, Dialect.STANDARD


def response(status=200, reason="OK", cseq="1", session="123456", more=(), body=b""):
    headers = [("CSeq", cseq)] + ([("Session", session)] if session else []) + list(more)
    return status, reason, cseq, session, headers, body


MARKED_RESPONSES = {
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n\r\n": response(),
    b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456\n\n": response(),
    b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n": response(404, "Not Found", session=""),
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\nContent-Length: 9\r\n\r\n"
    b"RTSP/\r\n\r\n": response(more=[("Content-Length", "9")], body=b"RTSP/\r\n\r\n"),
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\nRTP-Info: url=a\r\n ,url=b\r\n\r\n": (
        response(more=[("RTP-Info", "url=a ,url=b")])
    ),
}
UNMARKED_RESPONSES = {
    b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456": response(),
    b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456\n": response(),
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n": response(),
    b"RTSP/1.0 200 OK\nCSeq: 1\nDate: now\nSession: abc": (
        *(200, "OK", "1", "abc", [("CSeq", "1"), ("Date", "now"), ("Session", "abc")], b""),
    ),
    b"RTSP/1.0 404 NOT FOUND\nCSeq: 1\nSession: 0": response(404, "NOT FOUND", session="0"),
    b"RTSP/1.0 404 Not Found\r\n": (404, "Not Found", "", "", [], b""),
    b"RTSP/1.0 500 CONNECTION ERROR": (500, "CONNECTION ERROR", "", "", [], b""),
    b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 7\nContent-Length: 9": response(
        session="7", more=[("Content-Length", "9")]
    ),
}
MARKED_ITEMS = pytest.mark.parametrize(("data", "expected"), MARKED_RESPONSES.items())
UNMARKED_ITEMS = pytest.mark.parametrize(("data", "expected"), UNMARKED_RESPONSES.items())


@MARKED_ITEMS
@pytest.mark.parametrize("dialect", Dialect)
def test_response_with_a_blank_line(data, expected, dialect):
    parser = ResponseParser(dialect)
    parser.feed(data, 0.0)
    assert contents(drain(parser)) == [expected]
    for pieces in (one_by_one(data), [data + data[:20], data[20:]]):
        found = contents(parsed(ResponseParser(dialect), pieces))
        assert found == [expected] * len(found)
        assert len(found) == (2 if len(pieces) == 2 else 1)


@MARKED_ITEMS
def test_response_split_anywhere(data, expected):
    for point in range(len(data)):
        for dialect in Dialect:
            pieces = [data[:point], data[point:]]
            assert contents(parsed(ResponseParser(dialect), pieces)) == [expected], pieces[0]


@UNMARKED_ITEMS
def test_lab_response_that_nothing_ends(data, expected):
    for pieces in ([data], one_by_one(data), [data[:20], data[20:]]):
        assert contents(parsed(ResponseParser(LAB), pieces)) == [expected]


@UNMARKED_ITEMS
def test_lab_response_that_nothing_ends_waits_for_the_quiet_period(data, expected):
    parser = ResponseParser(LAB)
    parser.feed(data, 4.0)
    assert parser.next(4.0) is None
    assert parser.deadline() == pytest.approx(4.0 + QUIET_PERIOD)
    assert parser.next(4.0 + 0.9 * QUIET_PERIOD) is None
    assert content(parser.next(4.0 + QUIET_PERIOD)) == expected
    assert parser.deadline() is None


@UNMARKED_ITEMS
def test_a_standard_response_needs_its_blank_line(data, expected):
    parser = ResponseParser(STANDARD)
    parser.feed(data, 0.0)
    assert parser.deadline() is None
    assert parser.next(1000.0) is None
    assert parser.rest() is None


@pytest.mark.parametrize("data", [b"RTSP/1.0 200 OK\nCSeq: 1", b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"])
def test_a_lab_response_without_a_session_needs_a_second_of_quiet(data):
    parser = ResponseParser(LAB)
    parser.feed(data, 4.0)
    assert parser.deadline() == 4.0 + REPEAT_PERIOD
    assert parser.next(4.0 + 0.9 * REPEAT_PERIOD) is None
    response = parser.next(4.0 + REPEAT_PERIOD)
    assert (response.status, response.cseq, response.session) == (200, "1", "")


@pytest.mark.parametrize("data", [b"RTSP/1.0", b"RTSP/1.0 404", b"RTSP/1.0 200 OK\r\nCSeq:"])
def test_half_a_lab_response_is_waited_for(data):
    parser = ResponseParser(LAB)
    parser.feed(data, 0.0)
    assert parser.deadline() is None
    assert parser.next(1000.0) is None


def test_session_timeout_is_not_part_of_the_id():
    [found] = parsed(
        ResponseParser(STANDARD), [b"RTSP/1.0 200 OK\r\nSession: a ;timeout=60\r\n\r\n"]
    )
    assert found.session == "a"


@pytest.mark.parametrize(
    "data", [b"RTSP/1.0 200 OK\nCSeq: 1", b"RTSP/1.0 200", b"RTSP/1.0 200 OK\nSession: 5\n"]
)
def test_rest_makes_the_best_of_an_unfinished_lab_reply(data):
    parser = ResponseParser(LAB)
    parser.feed(data, 0.0)
    assert parser.next(0.0) is None
    assert parser.rest().status == 200
    assert parser.rest() is None


@pytest.mark.parametrize("data", [b"", b"hello", b"RT", b"\n\n"])
def test_rest_of_what_is_no_reply_is_nothing(data):
    parser = ResponseParser(LAB)
    parser.feed(data, 0.0)
    assert parser.rest() is None


@pytest.mark.parametrize("size", [1, 3, 4, 7, 11])
def test_half_an_interleaved_frame_is_no_rest(size):
    """Somebody looks at the clock while it is still on its way."""
    whole = b"$\x00\x00\x08a\nb\n$\r\n\n"
    parser = ResponseParser(Dialect.STANDARD)
    parser.feed(whole[:size], 0.0)
    assert parser.next(0.0) is None
    assert parser.rest() is None
    parser.feed(whole[size:], 0.1)
    assert parser.next(0.1) == InterleavedFrame(0, whole[4:])


def test_lines_before_a_status_line_are_skipped():
    data = b"CSeq: 1\r\nSession: 2\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 3\r\n\r\n"
    for dialect in Dialect:
        found = contents(parsed(ResponseParser(dialect), [data]))
        assert found == [response(cseq="2", session="3")]


def test_the_blank_line_of_a_reply_to_a_java_client_is_skipped():
    parser = ResponseParser(LAB)
    parser.feed(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 3\r\n", 0.0)
    assert parser.next(1.0).cseq == "1"
    parser.feed(b"\r\nRTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 3\r\n", 2.0)
    assert parser.next(3.0).cseq == "2"


REPLIES_AND_FRAMES = (
    b"$\x00\x00\x06\r\n\r\nRT"
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n\r\n"
    b"$\x01\x00\x00$\x00\x00\x0fRTSP/1.0 200 OK"
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\nContent-Length: 1\r\n\r\n$"
    b"$\x02\x00\x01$"
)
REPLIES_AND_FRAMES_CONTENT = [
    (0, b"\r\n\r\nRT"),
    response(),
    (1, b""),
    (0, b"RTSP/1.0 200 OK"),
    response(more=[("Content-Length", "1")], body=b"$"),
    (2, b"$"),
]


def test_replies_and_interleaved_frames_split_anywhere():
    for point in range(len(REPLIES_AND_FRAMES) + 1):
        pieces = [REPLIES_AND_FRAMES[:point], REPLIES_AND_FRAMES[point:]]
        found = contents(parsed(ResponseParser(STANDARD), pieces))
        assert found == REPLIES_AND_FRAMES_CONTENT, point


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0\r\n\r\n",
        b"RTSP/1.0 abc OK\r\n\r\n",
        b"RTSP/1.0 20 OK\r\n\r\n",
        b"RTSP/1.0 099 OK\r\n\r\n",
        b"RTSP/1.0 2000 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        b"RTSP/1.0 200 OK\r\nX: " + b"y" * MAX_HEAD,
        b"y" * (MAX_REQUEST_LINE + 1),
    ],
    ids=lambda data: data[:40].decode(),
)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_no_reply_raises(data, dialect):
    parser = ResponseParser(dialect)
    parser.feed(data, 0.0)
    with pytest.raises(MessageError) as caught:
        parser.next(0.0)
    assert caught.value.fatal


def test_the_error_shows_what_came_escaped():
    parser = ResponseParser(LAB)
    parser.feed(b"RTSP/1.0 \x1b[2J\n\n", 0.0)
    with pytest.raises(MessageError, match=r"RTSP/1.0 \\x1b\[2J"):
        parser.next(0.0)


@pytest.mark.parametrize(
    ("said", "line", "is_http"),
    [
        (b"", b"", False),
        (b"\r\n", b"", False),
        (b"RT", b"", False),
        (b"RTSP/1.0 200 OK\r\nCSe", b"", False),
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", b"HTTP/1.1 400 Bad Request", True),
        (b"HTTP/1.0 400", b"HTTP/1.0 400", True),
        (b"\n<!DOCTYPE HTML>\n<html>RTSP", b"<!DOCTYPE HTML>", True),
        (b"<html><head>", b"<html><head>", True),
        (b"HTTPS? 7\n", b"HTTPS? 7", False),
        (b"SSH-2.0-x\r\nInvalid\r\n", b"SSH-2.0-x", False),
        (b"220 smtp", b"220 smtp", False),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"", False),
        (b"Date: now\r\nRTSP/1.0 404 Not Found\r\n\r\nHTTP/1.1 400 no\r\n", b"", False),
    ],
)
@pytest.mark.parametrize("dialect", Dialect)
def test_another_language_is_told(said, line, is_http, dialect):
    for pieces in ([said], one_by_one(said)):
        parser = ResponseParser(dialect)
        parsed(parser, pieces)
        assert (parser.foreign_line, parser.speaks_http) == (line, is_http)


def test_interleaved_frames_are_no_other_language():
    parser = ResponseParser(STANDARD)
    assert len(parsed(parser, [b"$\0\0\x01x", b"$\0\0"])) == 1
    assert parser.foreign_line == b""


# --- What a server asks --------------------------------------------------------------------------

QUESTION = b"GET_PARAMETER rtsp://h/a$b RTSP/1.0\r\nCSeq: 7\r\n"
WITH_BODY = QUESTION + b"Content-Length: 8\r\n\r\n$\0\0\x01\r\n\r\n"
FRAME = b"$\x01\0\x06a\n\n\n$b"
REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n\r\n"
STREAMS = {
    "request": (QUESTION + b"\r\n", ["GET_PARAMETER"]),
    "request with a body": (WITH_BODY, ["GET_PARAMETER"]),
    "request and frame": (QUESTION + b"\r\n" + FRAME, ["GET_PARAMETER", 1]),
    "body and frame": (WITH_BODY + FRAME + REPLY, ["GET_PARAMETER", 1, 200]),
    "request without its blank line": (QUESTION + FRAME + REPLY, ["GET_PARAMETER", 1, 200]),
    "reply without its blank line": (REPLY[:-2] + FRAME + FRAME, [200, 1, 1]),
    "too long a body and a frame": (b"v=0\r\nx" + FRAME + REPLY, [1, 200]),
    "words and a frame": (b"Hello there\r\n" + FRAME, [1]),
    "frame, reply, request": (FRAME + REPLY + QUESTION + b"\n", [1, 200, "GET_PARAMETER"]),
    "a request of HTTP": (b"GET / HTTP/1.1\r\n\r\n" + REPLY, [200]),
}


def kinds(messages):
    """Of a request the method, of a reply the status, of a frame the channel."""
    return [getattr(m, "method", None) or getattr(m, "status", None) or m.channel for m in messages]


@pytest.mark.parametrize("name", STREAMS)
def test_what_servers_send_between_replies(name):
    data, expected = STREAMS[name]
    for trailing, more in ((b"", []), (FRAME, [1]), (REPLY, [200])):
        whole = data + trailing
        assert kinds(parsed(ResponseParser(STANDARD), [whole])) == expected + more
        assert kinds(parsed(ResponseParser(STANDARD), one_by_one(whole))) == expected + more
        for point in range(len(whole)):
            pieces = [whole[:point], whole[point:]]
            assert kinds(parsed(ResponseParser(STANDARD), pieces)) == expected + more


def test_what_a_request_of_a_server_says():
    for data, body in ((QUESTION + b"\r\n", b""), (WITH_BODY, b"$\0\0\x01\r\n\r\n")):
        (found,) = parsed(ResponseParser(STANDARD), [data])
        assert (found.method, found.uri, found.cseq) == ("GET_PARAMETER", "rtsp://h/a$b", "7")
        assert (found.body, found.raw, found.problem) == (body, data, None)


@pytest.mark.parametrize("length", [b"-1", b"x", b"%d" % (MAX_BODY + 1)])
def test_a_request_whose_end_is_unknown_raises(length):
    parser = ResponseParser(STANDARD)
    parser.feed(QUESTION + b"Content-Length: " + length + b"\r\n\r\n", 0.0)
    with pytest.raises(MessageError):
        parser.next(0.0)


def test_a_request_in_another_version_has_a_problem():
    (found,) = parsed(ResponseParser(STANDARD), [b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n"])
    assert found.problem.status == 505


def test_what_is_left_is_known():
    parser = ResponseParser(STANDARD)
    parser.feed(REPLY + b"$", 0.0)
    assert parser.has_more
    assert parser.next(0.0).status == 200
    assert parser.has_more
    parser.feed(FRAME[1:], 0.0)
    assert parser.next(0.0).channel == 1
    assert not parser.has_more


@settings(max_examples=2 * settings.default.max_examples)
@given(
    st.lists(st.sampled_from([QUESTION + b"\r\n", WITH_BODY, FRAME, REPLY, b"\r\n"]), max_size=6),
    st.lists(st.floats(0, 1), max_size=4),
)
def test_messages_come_out_however_they_are_cut(messages, cuts):
    data = b"".join(messages)
    points = sorted({0, len(data), *(round(cut * len(data)) for cut in cuts)})
    pieces = [data[a:b] for a, b in zip(points, points[1:], strict=False)]
    found = parsed(ResponseParser(STANDARD), pieces)
    assert contents(found) == contents(parsed(ResponseParser(STANDARD), [data]))
    assert len(found) == len([message for message in messages if message != b"\r\n"])


# --- Anything at all -----------------------------------------------------------------------------


@settings(max_examples=2 * settings.default.max_examples)
@given(arrivals, st.sampled_from(Dialect))
def test_any_bytes_at_any_time_give_responses_frames_or_an_error(pieces, dialect):
    parser, now = ResponseParser(dialect), 0.0
    try:
        for data, pause in pieces:
            parser.feed(data, now)
            now += pause
            for message in drain(parser, now):
                assert isinstance(message, (Response, Request, InterleavedFrame))
                assert dialect is STANDARD or isinstance(message, Response)
            deadline = parser.deadline()
            assert deadline is None or deadline > now
        parser.rest()
    except MessageError:
        pass


# --- Serialise, then parse -----------------------------------------------------------------------


@given(st.sampled_from([200, 301, 404, 551]), numbers, words, fields, bodies, st.floats(0, 1))
def test_standard_response_survives_the_journey(status, cseq, session, headers, body, cut):
    session = session.replace(";", ":")
    reply = Response(status, Headers(headers), body, session=session, reason="So It Is")
    data = reply.serialise(Request("OPTIONS", "*", cseq=cseq))
    expected = [("CSeq", cseq), ("Session", session), *with_length(headers, body)]
    point = round(cut * len(data))
    for pieces in ([data], [data[:point], data[point:]]):
        assert contents(parsed(ResponseParser(STANDARD), pieces)) == [
            (status, "So It Is", cseq, session, expected, body)
        ]


@given(st.sampled_from([200, 404, 455]), numbers, st.integers(1, 2**31 - 1).map(str), lab_forms)
def test_lab_response_survives_the_journey(status, cseq, session, form):
    request = Request("PLAY", "movie.Mjpeg", cseq=cseq, dialect=LAB, form=form)
    data = Response(status, session=session).serialise(request)
    [found] = parsed(ResponseParser(LAB), [data])
    assert found.status == status
    if status == 200 or form.blank_line or form.eol == "\n":
        assert (found.cseq, found.session) == (cseq, session)
