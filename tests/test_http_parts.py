"""Heads of HTTP replies, chunks, and the parts of a multipart stream, by their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from movies import MOVIE, frames_of

from rtplab.protocol.errors import MessageError
from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.http.messages import MAX_HEAD, ReplyReader, get_request, redirection
from rtplab.protocol.http.multipart import (
    MAX_LINE,
    MAX_PART_HEAD,
    MAX_PICTURE,
    MultipartReader,
    boundary_of,
)
from rtplab.protocol.rtsp.urls import parse_stream_url

PICTURES = frames_of(MOVIE)[:4]
TYPE = "multipart/x-mixed-replace; boundary=frame"


def part(picture: bytes, boundary: bytes = b"--frame", eol: bytes = b"\r\n", **fields) -> bytes:
    fields = {"Content-Type": "image/jpeg", "Content-Length": len(picture)} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    lines = [f"{name}: {value}".encode() for name, value in fields.items() if value is not None]
    return eol.join([boundary, *lines, b"", picture, b""])


def stream(**how) -> bytes:
    return b"".join(part(picture, **how) for picture in PICTURES)


def read(
    data: bytes, content_type: str = TYPE, size: int = 1 << 30
) -> tuple[list[bytes], list[str]]:
    """The pictures, and what was forgiven, if the stream comes in pieces of `size` bytes."""
    forgiveness = Forgiveness()
    reader = MultipartReader(content_type, forgiveness)
    found = []
    for start in range(0, len(data), size):
        found += [one.data for one in reader.feed(data[start : start + size])]
    return found, forgiveness.sentences


# --- Parts ---------------------------------------------------------------------------------------

RIGHT = {
    "ours, and what the ESP32's example sends": (stream(), TYPE),
    "the boundary in quotes": (stream(), 'multipart/x-mixed-replace;boundary="frame"'),
    "another case": (stream(), "Multipart/X-Mixed-Replace; BOUNDARY=frame"),
    "a line end before the first": (b"\r\n" + stream(), TYPE),
    "with a last one": (stream() + b"--frame--\r\n", TYPE),
    "no lengths": (stream(Content_Length=None) + b"--frame\r\n", TYPE),
    "lines that end with LF": (stream(eol=b"\n"), TYPE),
    "no headers": (stream(Content_Type=None, Content_Length=None) + b"--frame\r\n", TYPE),
    "dashes within the name, as Blue Iris": (
        stream(boundary=b"----part--"),
        "multipart/x-mixed-replace; boundary=--part--",
    ),
    "more after it": (stream(), "multipart/x-mixed-replace; boundary=frame; charset=utf-8"),
    "words before the first": (b"hello\r\n" + stream(), TYPE),
}

FORGIVEN = {
    "dashes in the type that the name has already": (
        stream(),
        "multipart/x-mixed-replace; boundary=--frame",
        "boundary in Content-Type",
    ),
    "no boundary in the type": (stream(), "multipart/x-mixed-replace", "boundary"),
    "another boundary than it says": (
        stream(boundary=b"--myboundary"),
        TYPE,
        "The first boundary",
    ),
    "a length that is too short": (stream(Content_Length=100), TYPE, "Content-Length"),
    "a length that is too long": (
        stream(Content_Length=50_000) + b"--frame\r\n",
        TYPE,
        "Content-Length",
    ),
    "no blank line": (
        b"".join(b"--frame\r\n" + one + b"\r\n" for one in PICTURES) + b"--frame\r\n",
        TYPE,
        "blank line",
    ),
}


@pytest.mark.parametrize("size", [7, 1000, 1 << 30])
@pytest.mark.parametrize("case", RIGHT)
def test_what_cameras_send_is_read_in_pieces_of_any_size(case: str, size: int) -> None:
    data, content_type = RIGHT[case]
    assert read(data, content_type, size) == (PICTURES, [])


@pytest.mark.parametrize("size", [7, 1 << 30])
@pytest.mark.parametrize("case", FORGIVEN)
def test_what_is_not_right_is_read_too_and_told(case: str, size: int) -> None:
    data, content_type, what = FORGIVEN[case]
    pictures, forgiven = read(data, content_type, size)
    assert pictures == PICTURES
    assert len(forgiven) == 1 and what in forgiven[0]


@pytest.mark.parametrize("length", [len(PICTURES[0]), None])
def test_a_picture_is_given_when_it_is_whole_not_with_the_next(length: int | None) -> None:
    """The boundary may come with the next picture: that would be one frame late."""
    head, picture = part(b"", Content_Length=length).rstrip(b"\r\n") + b"\r\n\r\n", PICTURES[0]
    reader = MultipartReader(TYPE)
    assert reader.feed(head + picture[:-1]) == []
    assert [one.data for one in reader.feed(picture[-1:])] == [picture]
    assert reader.feed(b"\r\n--frame\r\n") == []
    assert [one.data for one in reader.feed(part(PICTURES[1])[9:])] == [PICTURES[1]]


def test_headers_of_a_part_are_kept() -> None:
    (one,) = MultipartReader(TYPE).feed(part(PICTURES[0], X_Timestamp="12.5"))
    assert one.headers.get("x-timestamp") == "12.5"


def test_a_part_that_is_no_picture_is_given_for_what_it_is() -> None:
    reader = MultipartReader(TYPE)
    found = reader.feed(part(b"hello", Content_Type="text/plain") + part(PICTURES[0]))
    assert [one.data for one in found] == [b"hello", PICTURES[0]]


def test_the_last_boundary_is_the_end() -> None:
    reader = MultipartReader(TYPE)
    reader.feed(part(PICTURES[0]) + b"--frame--\r\n")
    assert reader.has_ended and reader.feed(part(PICTURES[1])) == []


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (MAX_LINE + 10),
        b"--frame\r\n" + b"X: y\r\n" * MAX_PART_HEAD,
        b"--frame\r\nContent-Length: %d\r\n\r\n\xff\xd8" % (MAX_PICTURE + 1),
        b"--frame\r\n\r\n\xff\xd8" + bytes(MAX_PICTURE),
    ],
)
def test_nothing_grows_without_bound(data: bytes) -> None:
    reader = MultipartReader(TYPE)
    with pytest.raises(MessageError):
        for start in range(0, len(data), 1 << 16):
            reader.feed(data[start : start + (1 << 16)])


@pytest.mark.parametrize("start", [b"", part(PICTURES[0])])
@pytest.mark.parametrize("filling", [b"x\n", b"--x\n" * 2, bytes(2)])
def test_what_comes_between_two_parts_is_not_kept(start: bytes, filling: bytes) -> None:
    if not start and b"\n" not in filling:
        return  # the case above
    reader = MultipartReader(TYPE)
    reader.feed(start or b"--frame-\r\n\r\n\xff\xd8\xff\xd9\r\n")
    for _ in range(40):
        reader.feed(filling * 20_000)
    assert len(reader._buffer) < 100_000


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40)), st.sampled_from([TYPE, "multipart/mixed", ""]))
def test_garbage_raises_what_is_documented_alone(pieces: list[bytes], content_type: str) -> None:
    reader = MultipartReader(content_type)
    try:
        for piece in [b"--frame\r\n", *pieces, b"\r\n--frame", *pieces]:
            reader.feed(piece)
    except MessageError:
        pass


def test_the_boundary_of_a_type() -> None:
    assert boundary_of('multipart/x; a=b; boundary = "a b;c"') == "a b;c"
    assert boundary_of("multipart/x") == ""


# --- Replies -------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def body_of(data: bytes, size: int = 1 << 30) -> tuple[bytes, bool]:
    reader = ReplyReader()
    body = b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size))
    return body, reader.has_ended


@pytest.mark.parametrize("size", [1, 3, 1 << 30])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEAD + b"\r\nhello", (b"hello", False)),
        (HEAD.replace(b"\r", b"") + b"\nhello", (b"hello", False)),
        (HEAD + b"Content-Length: 5\r\n\r\nhello, and more", (b"hello", True)),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", (b"hello", False)),
        (
            HEAD + b"Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\nhe\r\n0003\r\nllo\r\n0\r\n\r\n",
            (b"hello", True),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"\r\nhello", (b"hello", False)),
        (b"HTTP/1.0 200\r\n\r\nhello", (b"hello", False)),
    ],
)
def test_bodies(data: bytes, expected: tuple[bytes, bool], size: int) -> None:
    assert body_of(data, size) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_HEAD,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
    ],
)
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(MessageError):
        body_of(data)


def test_a_request() -> None:
    url = parse_stream_url("http://ann:secret@[::1]:81/a b?x=1")
    assert get_request(url, [("Authorization", "Basic x")]).split(b"\r\n") == [
        b"GET /a%20b?x=1 HTTP/1.1",
        b"Host: [::1]:81",
        b"User-Agent: rtplab",
        b"Accept: */*",
        b"Authorization: Basic x",
        b"Connection: close",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("http://other:81/s", "http://other:81/s"),
        ("/s", "http://host:8080/s"),
        ("s", "http://host:8080/a/s"),
        ("//other/s", "http://other/s"),
        ("rtsp://host/s", "rtsp://host/s"),
    ],
)
def test_redirections(location: str, there: str) -> None:
    reader = ReplyReader()
    reader.feed(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode())
    assert reader.head is not None
    assert str(redirection(reader.head, parse_stream_url("http://host:8080/a/b"))) == there


@pytest.mark.parametrize("location", ["", "Location: gopher://x/\r\n", "Location: http://[::\r\n"])
def test_redirections_to_nowhere(location: str) -> None:
    reader = ReplyReader()
    reader.feed(f"HTTP/1.1 302 Found\r\n{location}\r\n".encode())
    assert reader.head is not None
    with pytest.raises(MessageError):
        redirection(reader.head, parse_stream_url("http://host/"))
