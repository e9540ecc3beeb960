"""What servers say to our client, without any network: hostile replies to each of its requests."""

from __future__ import annotations

import pytest
from test_sdp import GOLDEN

from rtplab.protocol.errors import SessionError
from rtplab.protocol.rtsp.messages import Headers, Response
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtsp.standarddialogue import StandardDialogue

LATER = Frame(b"", 7, 180_000, 0.0, 0.0)
SET_UP = {"Session": "1", "Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}


def reply(body: str = "", **headers: str) -> Response:
    return Response(200, Headers(list(headers.items())), body.encode())


def playing(**headers: str) -> StandardDialogue:
    """A session whose PLAY has been answered so."""
    dialogue = StandardDialogue(parse_url("rtsp://h/movie"), "tcp")
    dialogue.setup(6000)
    dialogue.received(reply())
    dialogue.received(reply(GOLDEN))
    dialogue.received(reply(**SET_UP))
    dialogue.play(0.0, 1.0)
    dialogue.received(reply(**{"RTP-Info": "url=trackID=0;seq=1;rtptime=90000", **headers}))
    return dialogue


@pytest.mark.parametrize(
    ("scale", "position"), [("2", 2.0), ("-1.5", -1.5), ("+4.0", 4.0), ("0", 1.0), ("1000", 1000.0)]
)
def test_the_scale_that_the_server_has_chosen(scale: str, position: float) -> None:
    dialogue = playing(Scale=scale)
    assert dialogue.position.of(LATER) == position
    assert dialogue.position.number_of(LATER) == round(position * 20) + 1


@pytest.mark.parametrize("scale", ["nan", "inf", "-inf", "1e308", "1e9", "99999", "²", "", "x"])
def test_a_scale_that_makes_no_sense_is_none(scale: str) -> None:
    assert playing(Scale=scale).position.number_of(LATER) == 21


def test_a_reply_that_says_nothing_of_scale_means_that_there_is_none() -> None:
    dialogue = playing(Scale="2")
    dialogue.play(None, 4.0)
    dialogue.received(reply(**{"RTP-Info": "url=trackID=0;rtptime=90000"}))
    assert dialogue.position.of(LATER) == 1.0


def test_what_an_earlier_reply_to_play_said_counts_no_more() -> None:
    dialogue = playing()
    assert dialogue.first_number == 1
    dialogue.play(3.0, 1.0)
    dialogue.received(reply())
    assert dialogue.first_number is None
    assert dialogue.position.of(LATER) == 3.0


def test_only_what_was_sent_since_play_is_numbered() -> None:
    """A frame from before it was still under way. 90,000 ticks are the start of the movie."""
    early, first, second = (Frame(b"", 7, tick, 0.0, 0.0) for tick in (85_500, 90_000, 94_500))
    numbered = playing().position.numbered([early, first, second])
    assert [(frame.number, frame.timestamp) for frame in numbered] == [(1, 90_000), (2, 94_500)]


@pytest.mark.parametrize("formats", ["9" * 5000, "²", "128", "-26", "+26", "26.0", "x"])
def test_a_payload_type_that_is_none(formats: str) -> None:
    dialogue = StandardDialogue(parse_url("rtsp://h/movie"))
    dialogue.setup(6000)
    dialogue.received(reply())
    with pytest.raises(SessionError, match="the server offers"):
        dialogue.received(reply(GOLDEN.replace("AVP 26", f"AVP {formats}")))


@pytest.mark.parametrize("control", ["//[x", "//[::1", "//\u2100/"])
def test_a_control_address_that_is_none(control: str) -> None:
    dialogue = StandardDialogue(parse_url("rtsp://h/movie"))
    dialogue.setup(6000)
    dialogue.received(reply())
    with pytest.raises(SessionError, match="makes no sense"):
        dialogue.received(reply(GOLDEN.replace("trackID=0", control)))
