"""What the tests of the parsers share: feeding, comparing, and bytes of all kinds."""

from __future__ import annotations

from hypothesis import strategies as st

from rtplab.protocol.rtsp.messages import Form, InterleavedFrame, Request, Response
from rtplab.protocol.rtsp.parser import QUIET_PERIOD, REPEAT_PERIOD, USELESS_PERIOD
from rtplab.protocol.rtsp.requestparser import SILENCE_TIMEOUT


def drain(parser, now=0.0):
    """All messages that are complete at `now`; none after one that loses the framing."""
    messages = []
    while (message := parser.next(now)) is not None:
        messages.append(message)
        if isinstance(message, Request) and message.problem and message.problem.fatal:
            break
    return messages


def parsed(parser, pieces):
    """All messages in pieces that arrive at once, and those that are complete when all is quiet."""
    messages = []
    for piece in pieces:
        parser.feed(piece, 0.0)
        messages += drain(parser)
    return messages + drain(parser, QUIET_PERIOD)


def content(message):
    """All that a message says, for comparison."""
    if isinstance(message, InterleavedFrame):
        return message.channel, message.payload
    if isinstance(message, Response):
        return (message.status, message.reason, message.cseq, message.session) + (
            list(message.headers),
            message.body,
        )
    problem = message.problem and (message.problem.status, message.problem.fatal)
    return (message.method, message.uri, message.cseq, list(message.headers), message.body) + (
        message.dialect,
        message.form,
        problem,
    )


def contents(messages):
    return [content(message) for message in messages]


def one_by_one(data):
    return [data[at : at + 1] for at in range(len(data))]


TOKENS = [
    *(b"SETUP ", b"PLAY ", b"OPTIONS * ", b"movie.Mjpeg", b"rtsp://h/m", b"RTSP/1.0", b"CSeq: 1"),
    *(b"Session: 1", b"Transport: RTP/UDP; client_port= 25000", b"Content-Length: ", b"\r\n"),
    *(b"\n", b"\n\n", b"\r\n\r\n", b" ", b"\t", b"$", b"\x00\x01", b"1", b"99999999999", b"\xff"),
    *(b"RTSP/1.0 200 OK", b"RTSP/1.0 404 x", b":", b"\x0b", b"\xc2\x85", b"y" * 5000, b"A B\n"),
    *(b"\r", b"RTPS/1.0", b"client_port 5", b"PLAY \n", b"Session: None"),
]
arrivals = st.lists(
    st.tuples(
        st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)), max_size=8).map(
            b"".join
        ),
        st.sampled_from(
            [0.0, 0.001, QUIET_PERIOD, REPEAT_PERIOD, USELESS_PERIOD, SILENCE_TIMEOUT + 1]
        ),
    ),
    max_size=12,
)
"""Pieces that arrive, each with the seconds until the next."""

words = st.text(
    st.characters(exclude_categories=["C", "Z"], max_codepoint=0x2FFF), min_size=1, max_size=12
)
values = st.lists(words, max_size=3).map(" ".join)
names = st.from_regex(r"X-[A-Za-z][A-Za-z-]{0,10}", fullmatch=True)
fields = st.lists(st.tuples(names, values), max_size=5)
numbers = st.integers(0, 9_999_999_999).map(str)
bodies = st.binary(max_size=200)
lab_forms = st.builds(Form, st.sampled_from(["\n", "\r\n"]), st.booleans())


def with_length(headers, body):
    return headers + ([("Content-Length", str(len(body)))] if body else [])
