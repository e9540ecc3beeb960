"""Session descriptions: ours word for word, and those of real servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Range
from rtplab.protocol.rtsp.sdp import MAX_LINES, MAX_MEDIA, MediaDescription, describe, parse

MOVIE = {
    "name": "movie.Mjpeg",
    "origin": "192.0.2.7",
    "session_id": 42,
    "duration": 25.0,
    "frame_rate": 20.0,
    "width": 384,
    "height": 288,
    "control": "trackID=0",
}
GOLDEN = (
    "v=0\r\n"
    "o=- 42 1 IN IP4 192.0.2.7\r\n"
    "s=movie.Mjpeg\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "t=0 0\r\n"
    "a=control:*\r\n"
    "a=range:npt=0-25.000\r\n"
    "m=video 0 RTP/AVP 26\r\n"
    "a=rtpmap:26 JPEG/90000\r\n"
    "a=control:trackID=0\r\n"
    "a=framerate:20\r\n"
    "a=framesize:26 384-288\r\n"
    "a=x-dimensions:384,288\r\n"
)


def lines_of(**changes):
    return describe(**{**MOVIE, **changes}).split("\r\n")


# --- ours ----------------------------------------------------------------------------------------


def test_golden_description():
    assert describe(**MOVIE) == GOLDEN


def test_ipv6():
    assert "o=- 42 1 IN IP6 2001:db8::7" in lines_of(origin="2001:db8::7")


def test_a_frame_rate_may_have_a_fraction():
    assert "a=framerate:29.97" in lines_of(frame_rate=29.97)
    assert "a=framerate:12.5" in lines_of(frame_rate=12.5)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "-"),
        (" \r\n ", "-"),
        ("a\r\nm=video 9 X 1", "a  m=video 9 X 1"),
        ("a\u2028b\x85c\x00d\x1b[31m", "a b c d [31m"),
        ("caf\u00e9 \udcff", "caf\u00e9"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_a_name_stays_on_its_line(name, shown):
    assert f"s={shown}" in lines_of(name=name)
    assert f"a=control:{shown}" in lines_of(control=name)


def test_no_address_is_our_own_mistake():
    with pytest.raises(ValueError, match="example"):
        describe(**{**MOVIE, "origin": "example.org\r\na=x"})


# --- theirs --------------------------------------------------------------------------------------


def test_golden_description_is_parsed():
    session = parse(GOLDEN)
    assert session.control == "*"
    assert session.range == Range(0.0, 25.0)
    assert session.media == [
        MediaDescription(
            media="video",
            protocol="RTP/AVP",
            formats=("26",),
            rtpmap={26: "JPEG/90000"},
            control="trackID=0",
            framerate=20.0,
            size=(384, 288),
        )
    ]


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("a=framesize:26 4000-3000", (4000, 3000)),
        ("a=x-dimensions:4000,3000", (4000, 3000)),
        ("a=x-dimensions: 4000, 3000", (4000, 3000)),
        ("a=framesize:26 0-3000", None),
        ("a=framesize:4000-3000", None),
        ("a=x-dimensions:4000x3000", None),
        ("a=x-dimensions:999999,1", None),
    ],
)
def test_the_size_of_large_pictures(line, size):
    assert parse(f"v=0\nm=video 0 RTP/AVP 26\n{line}").media[0].size == size


@pytest.mark.parametrize("text", [GOLDEN.encode(), GOLDEN.replace("\r", ""), "\r\n" + GOLDEN[:-2]])
def test_any_line_end_will_do(text):
    assert parse(text) == parse(GOLDEN)


def test_the_highest_port():
    assert parse("v=0\nm=video 65535 RTP/AVP 26").media[0].formats == ("26",)


def test_several_media():
    session = parse(
        "v=0\no=- 1 1 IN IP4 host.example\ns=\ni=about\nc=IN IP4 232.1.2.3/127/3\nb=AS:50\nt=0 0\n"
        "a=tool:some server\na=type:broadcast\na=control:rtsp://host.example/cam/\n"
        "m=audio 5004/2 RTP/AVP 0 97\na=rtpmap:97 MPEG4-GENERIC/48000/2\na=control:track1\n"
        "a=fmtp:97 streamtype=5; mode=AAC-hbr\n"
        "m=video 5006 RTP/AVP/TCP 26\nc=IN IP6 ff3e::1\na=framesize:26 1280-720\n"
        "a=range:npt=now-\na=framerate:29.97\na=recvonly\na=CONTROL: track2\n"
    )
    audio, video = session.media
    assert session.control == "rtsp://host.example/cam/"
    assert (audio.media, audio.protocol) == ("audio", "RTP/AVP")
    assert audio.formats == ("0", "97")
    assert audio.rtpmap == {97: "MPEG4-GENERIC/48000/2"}
    assert (audio.control, video.control) == ("track1", "track2")
    assert video.protocol == "RTP/AVP/TCP"
    assert video.framerate == 29.97
    assert video.range == Range(None, None)
    assert session.range is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "=",
        "a",
        "a=",
        "x=y",
        "a=range:clock=19961108T142300Z-",
        "a=range:npt=nan-inf",
        "a=framerate:fast",
        "a=framerate:nan",
        "a=framerate:0",
        "a=framesize:26 0-288",
        "a=framesize:26",
        "a=x-dimensions:384",
        "a=x-dimensions:999999,1",
        "a=rtpmap:JPEG/90000",
        "a=fmtp:\u0664 x",
        "m=",
        "m=video 0 RTP/AVP",
        "m=video x RTP/AVP 26\na=control:other\na=framerate:7\nc=IN IP4 10.0.0.1",
        "m=video 65536 RTP/AVP 26",
    ],
)
def test_what_makes_no_sense_is_skipped(line):
    head = "v=0\ns=x\nm=video 0 RTP/AVP 26\na=control:t\n"
    assert parse(head + line + "\n") == parse(head)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "v=0"),
        (b"\xff\xd8\xff", "v=0"),
        ("<html>\x1b[31m", "v=0, not <html>\\x1b[31m"),
        ("v=1\n" + GOLDEN, "v=0, not v=1"),
        ("v=0\n" + "a=x\n" * MAX_LINES, "over 2000 lines"),
        ("v=0\n" + "m=video 0 RTP/AVP 26\n" * (MAX_MEDIA + 1), "over 64 media"),
    ],
)
def test_garbage_is_refused(text, message):
    with pytest.raises(MessageError) as caught:
        parse(text)
    assert message in str(caught.value)


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_only_documented_errors_on_junk(junk):
    heads = ("", "v=0\n", "v=0\nm=video 0 RTP/AVP 26\na=")
    for head in heads:
        try:
            parse(head + junk if isinstance(junk, str) else head.encode() + junk)
        except MessageError:
            pass


@given(
    name=st.text(max_size=50),
    control=st.text(max_size=50),
    milliseconds=st.integers(0, 10**9),
    side=st.integers(1, 65535),
    rate=st.integers(1, 240),
)
def test_what_is_described_is_parsed_to_the_same(name, control, milliseconds, side, rate):
    text = describe(
        **{
            **MOVIE,
            "name": name,
            "control": control,
            "duration": milliseconds / 1000,
            "width": side,
            "frame_rate": rate,
        }
    )
    session = parse(text)
    assert text.count("\r\n") == GOLDEN.count("\r\n")
    assert session.range == Range(0.0, milliseconds / 1000)
    assert session.media[0].framerate == rate
    assert (
        describe(
            **{
                **MOVIE,
                "name": name,
                "control": session.media[0].control,
                "duration": session.range.end,
                "width": side,
                "frame_rate": session.media[0].framerate,
            }
        )
        == text
    )
