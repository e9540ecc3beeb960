"""The values of RTSP headers: golden in both directions, absurd, and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wording import lacks

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import (
    MAX_TRANSPORTS,
    Range,
    RtpInfo,
    SessionHeader,
    Transport,
    parse_chosen_transport,
    parse_range,
    parse_rtp_info,
    parse_session,
    parse_transports,
)

PORTS = (25000, 25001)

BOTH_WAYS = {
    "RTP/AVP;unicast;client_port=25000-25001": Transport(client_port=PORTS),
    "RTP/AVP;unicast;client_port=25000-25001;server_port=6970-6971": Transport(
        client_port=PORTS, server_port=(6970, 6971)
    ),
    "RTP/AVP/TCP;unicast;interleaved=0-1": Transport(lower="TCP", interleaved=(0, 1)),
    "RTP/AVP/TCP;unicast;interleaved=254-255;ssrc=00C0FFEE": Transport(
        lower="TCP", interleaved=(254, 255), ssrc=0xC0FFEE
    ),
    "RTP/AVP;multicast;destination=224.2.0.1;source=10.0.0.1;port=3456-3457;ttl=16": Transport(
        multicast=True,
        client_port=(3456, 3457),
        destination="224.2.0.1",
        source="10.0.0.1",
        ttl=16,
    ),
    "RTP/AVP;unicast": Transport(),
}


@pytest.mark.parametrize(("value", "transport"), BOTH_WAYS.items())
def test_transport_both_ways(value, transport):
    assert parse_transports(value) == [transport]
    assert transport.serialise() == value


@pytest.mark.parametrize(
    ("value", "transports"),
    [
        ("RTP/UDP; client_port= 25000", [Transport(client_port=PORTS)]),
        ("rtp/upd;CLIENT_PORT=25000", [Transport(client_port=PORTS)]),
        ("TCP/UDP ; client_port = 25000", [Transport(client_port=PORTS)]),
        ("RTP/AVP/UDP;unicast;client_port=25000-25001;mode=play", [Transport(client_port=PORTS)]),
        ("RTP/AVP;client_port=65535", [Transport(client_port=(65535, 65535))]),
        ("RTP/AVP;client_port=1024-1025", [Transport(client_port=(1024, 1025))]),
        ('RTP/AVP;unicast;destination="10.0.0.9"', [Transport(destination="10.0.0.9")]),
        ("RTP/AVP;unicast;ssrc=zz;ttl=x", [Transport()]),
        ("RTP/AVP;client_port=25000;client_port=26000", [Transport(client_port=PORTS)]),
        ("RTP/AVP/TCP;interleaved=3", [Transport(lower="TCP", interleaved=(3, 4))]),
        (
            "RAW/RAW/UDP;unicast,RTP/SAVP;x, RTP/AVP;multicast,RTP/AVP/TCP;interleaved=0-1",
            [Transport(multicast=True), Transport(lower="TCP", interleaved=(0, 1))],
        ),
    ],
)
def test_transport_as_clients_write_it(value, transports):
    assert parse_transports(value) == transports


UDP, TCP = Transport(client_port=PORTS), Transport("TCP", interleaved=(0, 1))


@pytest.mark.parametrize(
    ("asked", "value", "chosen"),
    [
        (UDP, "", UDP),
        (TCP, "  ", TCP),
        (TCP, "RTP/AVP/TCP;unicast", TCP),
        (TCP, "RTP/AVP/TCP;unicast;interleaved=x", TCP),
        (TCP, "RTP/AVP/TCP;unicast;interleaved=2-3", Transport("TCP", interleaved=(2, 3))),
        (TCP, "RTP/AVP;unicast;interleaved=0-1", TCP),
        (TCP, "RTP/AVP;unicast", Transport()),
        (UDP, "RTP/AVP/TCP;unicast", Transport("TCP")),
        (UDP, "RTP/AVP;server_port=0-1", Transport()),
        (UDP, "RTP/AVP;server_port=0-0;ssrc=0", Transport(ssrc=0)),
        (UDP, "RTP/AVP;server_port=70000;client_port=1-2;ttl=999", Transport()),
        (UDP, "RTP/AVP;server_port=6970", Transport(server_port=(6970, 6971))),
        (UDP, "RAW/X,RTP/AVP;ssrc=0xC0FFEE", Transport(ssrc=0xC0FFEE)),
        (UDP, "RTP/AVP;ssrc= C0FFEE ;mode=play", Transport(ssrc=0xC0FFEE)),
        (UDP, "RTP/AVP;ssrc=3735928559", Transport(ssrc=0xDEADBEEF)),
        (UDP, "RTP/AVP;ssrc=9999999999", Transport()),
        (UDP, "RTP/AVP;ssrc=-1", Transport()),
    ],
)
def test_the_transport_that_a_server_has_chosen(asked, value, chosen):
    assert parse_chosen_transport(value, asked) == chosen


@given(st.text(max_size=60), st.sampled_from([UDP, TCP]))
def test_any_choice_is_a_transport_or_a_message_error(text, asked):
    for value in (text, f"RTP/AVP;{text}", f"RTP/AVP/TCP;interleaved={text}"):
        try:
            assert parse_chosen_transport(value, asked).lower in ("UDP", "TCP")
        except MessageError:
            pass


def test_so_many_transports_are_read():
    value = ",".join(["RTP/AVP"] * MAX_TRANSPORTS)
    assert len(parse_transports(value)) == MAX_TRANSPORTS


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("", 400),
        ("  ", 400),
        ("RAW/RAW/UDP;unicast", 461),
        (";;;", 461),
        ("client_port=25000", 461),
        ("RTP/AVP;client_port=x", 400),
        ("RTP/AVP;client_port=1023", 400),
        ("RTP/AVP;client_port=0", 400),
        ("RTP/AVP;client_port=25000-80", 400),
        ("RTP/AVP;client_port=65536", 400),
        ("RTP/AVP;client_port=-1", 400),
        ("RTP/AVP;client_port=25000-", 400),
        ("RTP/AVP;client_port=" + "9" * 5000, 400),
        ("RTP/AVP;client_port=١٢٣٤٥", 400),
        ("RTP/AVP;client_port=0x6000", 400),
        ("RTP/AVP;client_port=25000\n1", 400),
        ("RTP/AVP/TCP;interleaved=256-257", 400),
        ("RTP/AVP/TCP;interleaved=a-b", 400),
        ("RTP/AVP;server_port=0-1", 400),
        (",".join(["RTP/AVP"] * (MAX_TRANSPORTS + 1)), 400),
    ],
)
def test_transport_that_cannot_be_obeyed(value, status):
    with pytest.raises(MessageError) as caught:
        parse_transports(value)
    assert caught.value.status == status
    assert not caught.value.fatal
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("RTP/AVP;client_port=x", "Transport: x"),
        ("RTP/AVP;client_port=25000-80", "25000-80, 1024 to 65535"),
        ("RTP/AVP/TCP;interleaved=256", "256, 0 to 255"),
        ("RAW/UDP", "RAW/UDP"),
    ],
)
def test_what_is_wrong_with_a_transport_is_said(value, message):
    with pytest.raises(MessageError) as caught:
        parse_transports(value)
    assert not lacks(str(caught.value), *message.split(", "))


RANGES = {
    "npt=0.000-": Range(0.0),
    "npt=10.070-20.000": Range(10.07, 20.0),
    "npt=now-": Range(None, None),
    "npt=now-5.500": Range(None, 5.5),
    "npt=0.041667-12.5375": Range(0.041667, 12.5375),
    "npt=123456789.125-999999999.000": Range(123456789.125, 999999999.0),
}


def test_a_time_is_never_written_earlier_than_it_is():
    assert Range(1 / 24, 0.1 + 0.2).serialise() == "npt=0.041667-0.300"
    assert Range(2 / 3).serialise() == "npt=0.666667-"


@pytest.mark.parametrize(("value", "span"), RANGES.items())
def test_range_both_ways(value, span):
    assert parse_range(value) == span
    assert span.serialise() == value


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("npt=0-", Range(0.0)),
        ("npt=5.-7", Range(5.0, 7.0)),
        ("npt=-20", Range(None, 20.0)),
        ("NPT = 1 - 2 ", Range(1.0, 2.0)),
        ("npt=1:02:03.5-2:00:00", Range(3723.5, 7200.0)),
        ("npt=0:00:00-", Range(0.0)),
        ("npt=99999:59:59-", Range(99999 * 3600 + 3599.0)),
        ("npt=3-3;time=19970123T153600Z", Range(3.0, 3.0)),
    ],
)
def test_range_as_clients_write_it(value, span):
    found = parse_range(value)
    assert found.start == pytest.approx(span.start)
    assert found.end == pytest.approx(span.end)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "npt",
        "npt=",
        "npt=-",
        "npt=5",
        "npt=5-4",
        "npt=--5",
        "npt=1e3-",
        "npt=inf-",
        "npt=nan-",
        "npt=0x10-",
        "npt=+1-",
        "npt=1:60:00-",
        "npt=1:00:60-",
        "npt=12:00-",
        "npt=" + "9" * 400 + "-",
        "npt=١-",
        "npt=1-\x1b[2J",
    ],
)
def test_range_that_is_not_served(value):
    with pytest.raises(MessageError) as caught:
        parse_range(value)
    assert caught.value.status == 457
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "value",
    [
        "smpte=0:00:10-",
        "smpte-25=10:07:00-10:07:33:05.01",
        "clock=19961108T142300Z-19961108T143520Z",
        "bytes=0-499",
        "\x1b[2J=1-",
        "=1-2",
    ],
)
def test_units_that_are_not_implemented(value):
    """RFC 2326 section 12.29: "in a time format that is not understood" is 501."""
    with pytest.raises(MessageError) as caught:
        parse_range(value)
    assert caught.value.status == 501
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("value", "info"),
    [
        ("url=rtsp://h/m/track1;seq=0;rtptime=0", RtpInfo("rtsp://h/m/track1", 0, 0)),
        ("url=a;seq=65535;rtptime=4294967295", RtpInfo("a", 65535, 4294967295)),
        ("url=a;rtptime=7", RtpInfo("a", None, 7)),
        ("url=a", RtpInfo("a")),
    ],
)
def test_rtp_info_both_ways(value, info):
    assert parse_rtp_info(value) == [info]
    assert info.serialise() == value


@pytest.mark.parametrize(
    ("value", "infos"),
    [
        ("url=a;seq=1,url=b;seq=2", [RtpInfo("a", 1), RtpInfo("b", 2)]),
        (' URL="a" ; SEQ = 1 ; rtptime = 5 ', [RtpInfo("a", 1, 5)]),
        ("url=a;seq=65536;rtptime=4294967296", [RtpInfo("a")]),
        ("url=a;seq=-1;rtptime=x", [RtpInfo("a")]),
        ("url=a;seq=" + "9" * 5000, [RtpInfo("a")]),
        ("url=a;seq=١", [RtpInfo("a")]),
        ("url=rtsp://h/m?a=b;seq=1", [RtpInfo("rtsp://h/m?a=b", 1)]),
        ("", [RtpInfo("")]),
        ("nonsense", [RtpInfo("")]),
    ],
)
def test_rtp_info_as_servers_write_it(value, infos):
    assert parse_rtp_info(value) == infos


def test_rtp_info_is_bounded():
    assert len(parse_rtp_info("," * 10_000)) == MAX_TRANSPORTS


@pytest.mark.parametrize(
    ("value", "session"),
    [
        ("123456", SessionHeader("123456", 60.0)),
        ("abc;timeout=30", SessionHeader("abc", 30.0)),
        (" abc ; Timeout = 5 ", SessionHeader("abc", 5.0)),
        ("abc;x=y;timeout=7", SessionHeader("abc", 7.0)),
        ("abc;timeout=0", SessionHeader("abc", 60.0)),
        ("abc;timeout=1", SessionHeader("abc", 1.0)),
        ("abc;timeout=-5", SessionHeader("abc", 60.0)),
        ("abc;timeout=", SessionHeader("abc", 60.0)),
        ("abc;timeout=soon", SessionHeader("abc", 60.0)),
        ("abc;timeout=9999999", SessionHeader("abc", 999999.0)),
        ("", SessionHeader("", 60.0)),
        (";timeout=8", SessionHeader("", 8.0)),
    ],
)
def test_session(value, session):
    assert parse_session(value) == session


# --- Any values ----------------------------------------------------------------------------------

pairs = st.one_of(st.none(), st.tuples(st.integers(1024, 65535), st.integers(1024, 65535)))
channels = st.tuples(st.integers(0, 255), st.integers(0, 255))
hosts = st.sampled_from(["", "10.0.0.9", "224.2.0.1", "fe80::1", "host.example"])
transports = st.builds(
    Transport,
    lower=st.sampled_from(["UDP", "TCP"]),
    multicast=st.booleans(),
    client_port=pairs,
    server_port=pairs,
    interleaved=st.one_of(st.none(), channels),
    destination=hosts,
    source=hosts,
    ttl=st.one_of(st.none(), st.integers(0, 255)),
    ssrc=st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)


@given(st.lists(transports, min_size=1, max_size=MAX_TRANSPORTS))
def test_transports_survive_the_journey(offered):
    assert parse_transports(",".join(one.serialise() for one in offered)) == offered


milliseconds = st.integers(0, 10**11).map(lambda number: number / 1000)


@given(st.one_of(st.none(), milliseconds), st.one_of(st.none(), milliseconds))
@example(None, 2144424.098)
def test_range_survives_the_journey(start, end):
    if start is not None and end is not None:
        start, end = sorted((start, end))
    assert parse_range(Range(start, end).serialise()) == Range(start, end)


@given(
    st.sampled_from(["rtsp://h/m", "track1"]),
    st.one_of(st.none(), st.integers(0, 65535)),
    st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)
def test_rtp_info_survives_the_journey(url, seq, rtptime):
    info = RtpInfo(url, seq, rtptime)
    assert parse_rtp_info(info.serialise()) == [info]


ids = st.text(st.characters(exclude_characters=";"), min_size=1, max_size=20).map(str.strip)


@given(
    ids, st.integers(1, 999_999), st.sampled_from([";timeout=", "; Timeout = ", ";x=1;timeout="])
)
def test_session_survives_the_journey(session_id, timeout, before):
    assert parse_session(session_id) == SessionHeader(session_id)
    assert parse_session(f"{session_id}{before}{timeout}") == SessionHeader(session_id, timeout)


TOKENS = "RTP/AVP unicast client_port= 25000 - ; , interleaved= 0 npt= smpte= : now url= =".split()
texts = st.one_of(st.text(), st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))


@given(texts)
@example("npt=" + "0:" * 1000)
@example("RTP/AVP;" * 1000)
def test_any_text_is_read_or_refused(text):
    for parse in (parse_transports, parse_range, parse_rtp_info, parse_session):
        try:
            parse(text)
        except MessageError as error:
            assert error.status in (400, 457, 461, 501)
            assert str(error).isprintable()
