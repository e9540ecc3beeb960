"""RTSP messages as they are written, to the byte: every form of reply, and what is shown safely."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import (
    Dialect,
    Form,
    Headers,
    Request,
    Response,
    printable,
)

LF_OPEN = Form("\n", False)
LF_BLANK = Form("\n", True)
CRLF_OPEN = Form("\r\n", False)
CRLF_BLANK = Form("\r\n", True)


def lab(form, cseq="1"):
    return Request("PLAY", "movie.Mjpeg", cseq=cseq, dialect=Dialect.LAB, form=form)


def standard(cseq="1", form=CRLF_BLANK):
    return Request("PLAY", "rtsp://h/movie.Mjpeg", cseq=cseq, form=form)


class TestLabReply:
    """DESIGN: a reply in LF ends with a blank line, one in CRLF only if the request had one."""

    @pytest.mark.parametrize(
        ("form", "reply"),
        [
            (LF_OPEN, b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456\n\n"),
            (LF_BLANK, b"RTSP/1.0 200 OK\nCSeq: 1\nSession: 123456\n\n"),
            (CRLF_OPEN, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n"),
            (CRLF_BLANK, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 123456\r\n\r\n"),
        ],
    )
    def test_success(self, form, reply):
        assert Response(200, session="123456").serialise(lab(form)) == reply

    @pytest.mark.parametrize(
        ("form", "reply"),
        [
            (LF_OPEN, b"RTSP/1.0 404 Not Found\nCSeq: 1\nSession: 0\n\n"),
            (LF_BLANK, b"RTSP/1.0 404 Not Found\nCSeq: 1\nSession: 0\n\n"),
            (CRLF_OPEN, b"RTSP/1.0 404 Not Found\r\n"),
            (CRLF_BLANK, b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\nSession: 0\r\n\r\n"),
        ],
    )
    def test_error(self, form, reply):
        assert Response(404).serialise(lab(form)) == reply

    def test_without_a_number_in_the_request_has_the_number_0(self):
        reply = Response(400).serialise(lab(LF_OPEN, cseq=""))
        assert reply == b"RTSP/1.0 400 Bad Request\nCSeq: 0\nSession: 0\n\n"

    def test_other_headers_follow_the_session(self):
        response = Response(200, Headers([("Public", "SETUP")]), session="9")
        assert response.serialise(lab(CRLF_OPEN)) == (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 9\r\nPublic: SETUP\r\n"
        )

    def test_a_body_has_a_blank_line_before_it(self):
        assert Response(200, body=b"v=0", session="9").serialise(lab(CRLF_OPEN)) == (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 9\r\nContent-Length: 3\r\n\r\nv=0"
        )


class TestStandardReply:
    def test_success(self):
        response = Response(200, Headers([("RTP-Info", "url=x"), ("Range", "npt=0-")]), session="9")
        assert response.serialise(standard()) == (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 9\r\nRTP-Info: url=x\r\nRange: npt=0-\r\n\r\n"
        )

    def test_is_in_crlf_even_to_a_request_in_lf(self):
        reply = Response(200).serialise(standard(form=LF_BLANK))
        assert reply == b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"

    def test_has_no_session_where_there_is_none(self):
        assert Response(454).serialise(standard("7")) == (
            b"RTSP/1.0 454 Session Not Found\r\nCSeq: 7\r\n\r\n"
        )

    def test_has_no_number_where_the_request_had_none(self):
        assert Response(400).serialise(standard("")) == b"RTSP/1.0 400 Bad Request\r\n\r\n"

    def test_body(self):
        response = Response(200, Headers([("Content-Type", "application/sdp")]), "v=0é".encode())
        assert response.serialise(standard()) == (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n"
            b"Content-Length: 5\r\n\r\nv=0\xc3\xa9"
        )

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (200, b"OK"),
            (400, b"Bad Request"),
            (401, b"Unauthorized"),
            (403, b"Forbidden"),
            (404, b"Not Found"),
            (405, b"Method Not Allowed"),
            (406, b"Not Acceptable"),
            (408, b"Request Timeout"),
            (413, b"Request Entity Too Large"),
            (414, b"Request-URI Too Long"),
            (415, b"Unsupported Media Type"),
            (451, b"Parameter Not Understood"),
            (453, b"Not Enough Bandwidth"),
            (454, b"Session Not Found"),
            (455, b"Method Not Valid in This State"),
            (457, b"Invalid Range"),
            (459, b"Aggregate Operation Not Allowed"),
            (461, b"Unsupported Transport"),
            (500, b"Internal Server Error"),
            (501, b"Not Implemented"),
            (503, b"Service Unavailable"),
            (505, b"RTSP Version Not Supported"),
            (551, b"Option not supported"),
        ],
    )
    def test_status_line(self, status, reason):
        reply = Response(status).serialise(standard())
        assert reply.startswith(b"RTSP/1.0 %d %s\r\n" % (status, reason))

    def test_unknown_status(self):
        assert Response(299).serialise(standard()).startswith(b"RTSP/1.0 299 Unknown\r\n")


class TestRequest:
    def test_lab(self):
        headers = Headers([("Transport", "RTP/UDP; client_port= 25000")])
        request = Request("SETUP", "movie.Mjpeg", headers, "1", b"", Dialect.LAB, CRLF_OPEN)
        assert request.serialise() == (
            b"SETUP movie.Mjpeg RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/UDP; client_port= 25000\r\n"
        )

    def test_lab_in_lf(self):
        request = Request("PAUSE", "m", Headers([("Session", "7")]), "3", b"", Dialect.LAB, LF_OPEN)
        assert request.serialise() == b"PAUSE m RTSP/1.0\nCSeq: 3\nSession: 7\n"

    def test_standard_with_a_body(self):
        request = Request("SET_PARAMETER", "*", Headers([("Session", "7")]), "3", b"a: b\r\n")
        assert request.serialise() == (
            b"SET_PARAMETER * RTSP/1.0\r\nCSeq: 3\r\nSession: 7\r\n"
            b"Content-Length: 6\r\n\r\na: b\r\n"
        )

    def test_bytes_that_are_no_utf8_go_out_as_they_came(self):
        request = Request("PLAY", b"\xff.Mjpeg".decode("utf-8", "surrogateescape"), cseq="1")
        assert request.serialise().startswith(b"PLAY \xff.Mjpeg RTSP/1.0\r\n")


class TestHeaders:
    headers = Headers([("CSeq", "1"), ("X", "a"), ("x", "b")])

    def test_names_in_any_case(self):
        assert self.headers.get("cSEQ") == "1"
        assert "CSEQ" in self.headers
        assert "Session" not in self.headers

    def test_the_first_of_a_name_counts(self):
        assert self.headers.get("X") == "a"

    def test_default(self):
        assert self.headers.get("Session") == ""
        assert self.headers.get("Session", "0") == "0"

    def test_order(self):
        assert list(self.headers) == [("CSeq", "1"), ("X", "a"), ("x", "b")]
        assert len(self.headers) == 3

    def test_add(self):
        headers = Headers()
        headers.add("Content-Length", 5)
        assert list(headers) == [("Content-Length", "5")]
        assert list(Headers()) == []


class TestPrintable:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("movie.Mjpeg", "movie.Mjpeg"),
            ("Café ☕", "Café ☕"),
            ("a\r\nb", "a\\r\\nb"),
            ("\x1b[31mred", "\\x1b[31mred"),
            ("\x00\x07\x7f\x9b", "\\x00\\x07\\x7f\\x9b"),
            ("a\u202eb", "a\\u202eb"),
            ("\u2028", "\\u2028"),
            ("\udcff", "\\udcff"),
            ("\U0001f600\U000e0001", "\U0001f600\\U000e0001"),
            (b"caf\xc3\xa9", "café"),
            (b"\xff\n\x1b", "\\xff\\n\\x1b"),
            ("", ""),
        ],
    )
    def test_escapes(self, text, shown):
        assert printable(text) == shown

    def test_cuts(self):
        assert printable("x" * 201) == "x" * 200 + "..."
        assert printable("x" * 200) == "x" * 200
        assert printable("\n" + "x" * 199) == "\\n" + "x" * 199
        assert printable(b"\n" * 10, 3) == "\\n\\n\\n..."

    @given(st.one_of(st.text(), st.binary()), st.integers(0, 50))
    def test_is_always_one_line_of_bounded_length(self, text, limit):
        shown = printable(text, limit)
        assert shown.isprintable()
        shown.encode()  # which no lone surrogate survives
        assert len(shown) <= 10 * limit + 3


def test_the_blame_carries_its_status():
    error = MessageError("too long", 414, fatal=True)
    assert (error.status, error.fatal, str(error)) == (414, True, "too long")
    assert (MessageError("bad").status, MessageError("bad").fatal) == (400, False)
