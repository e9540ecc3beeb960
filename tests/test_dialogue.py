"""What servers say to our client, without any network: hostile replies to each of its requests."""

from __future__ import annotations

import pytest
from test_sdp import GOLDEN

from rtplab.protocol.errors import SessionError
from rtplab.protocol.rtsp.messages import Headers, Request, Response
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtsp.labdialogue import LabDialogue
from rtplab.receiving.rtsp.playepoch import PlayEpoch
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


def epoch_of(dialogue: StandardDialogue) -> PlayEpoch:
    return PlayEpoch(dialogue.start, dialogue.frame_rate)


def number_of_later(dialogue: StandardDialogue) -> int:
    (frame,) = epoch_of(dialogue).admit([LATER])
    return frame.number


@pytest.mark.parametrize(
    ("scale", "position"), [("2", 2.0), ("-1.5", -1.5), ("+4.0", 4.0), ("0", 1.0), ("1000", 1000.0)]
)
def test_the_scale_that_the_server_has_chosen(scale: str, position: float) -> None:
    dialogue = playing(Scale=scale)
    assert epoch_of(dialogue).position_of(LATER) == position
    assert number_of_later(dialogue) == round(position * 20) + 1


@pytest.mark.parametrize("scale", ["nan", "inf", "-inf", "1e308", "1e9", "99999", "²", "", "x"])
def test_a_scale_that_makes_no_sense_is_none(scale: str) -> None:
    assert number_of_later(playing(Scale=scale)) == 21


def test_a_reply_that_says_nothing_of_scale_means_that_there_is_none() -> None:
    dialogue = playing(Scale="2")
    dialogue.play(None, 4.0)
    dialogue.received(reply(**{"RTP-Info": "url=trackID=0;rtptime=90000"}))
    assert epoch_of(dialogue).position_of(LATER) == 1.0


def test_what_an_earlier_reply_to_play_said_counts_no_more() -> None:
    dialogue = playing()
    assert dialogue.start.first_number == 1
    dialogue.play(3.0, 1.0)
    dialogue.received(reply())
    assert dialogue.start.first_number is None
    assert epoch_of(dialogue).position_of(LATER) == 3.0


def test_only_what_was_sent_since_play_is_numbered() -> None:
    """A frame from before it was still under way. 90,000 ticks are the start of the movie."""
    early, first, second = (Frame(b"", 7, tick, 0.0, 0.0) for tick in (85_500, 90_000, 94_500))
    numbered = epoch_of(playing()).admit([early, first, second])
    assert [(frame.number, frame.timestamp) for frame in numbered] == [(1, 90_000), (2, 94_500)]


@pytest.mark.parametrize("formats", ["9" * 5000, "²", "128", "-26", "+26", "26.0", "x"])
def test_an_invalid_payload_type(formats: str) -> None:
    dialogue = StandardDialogue(parse_url("rtsp://h/movie"))
    dialogue.setup(6000)
    dialogue.received(reply())
    with pytest.raises(SessionError, match="the server offers"):
        dialogue.received(reply(GOLDEN.replace("AVP 26", f"AVP {formats}")))


@pytest.mark.parametrize("control", ["//[x", "//[::1", "//\u2100/"])
def test_an_invalid_control_address(control: str) -> None:
    dialogue = StandardDialogue(parse_url("rtsp://h/movie"))
    dialogue.setup(6000)
    dialogue.received(reply())
    with pytest.raises(SessionError, match="malformed"):
        dialogue.received(reply(GOLDEN.replace("trackID=0", control)))


# --- Keep-alives ---------------------------------------------------------------------------------


def keep_alive_methods(*replies: Response | None) -> list[str]:
    """The methods of one keep-alive after another, each answered so, or not at all (None)."""
    dialogue = StandardDialogue(parse_url("rtsp://ann:secret@host/movie.Mjpeg"))
    methods = [dialogue.keep_alive(is_ignored=False).method]
    for answer in replies:
        if answer is not None:
            dialogue.kept_alive(answer)
        methods.append(dialogue.keep_alive(is_ignored=answer is None).method)
    return methods


@pytest.mark.parametrize(
    ("public", "method"),
    [
        ("OPTIONS, DESCRIBE,SETUP ,PLAY", "OPTIONS"),
        ("options, get_parameter", "GET_PARAMETER"),
        ("SET_PARAMETER, X_GET_PARAMETER", "OPTIONS"),
        ("", "GET_PARAMETER"),
    ],
)
def test_public_tells_which_request_is_known(public: str, method: str) -> None:
    assert keep_alive_methods(reply(Public=public)) == ["GET_PARAMETER", method]


@pytest.mark.parametrize("answer", [Response(501), Response(400), None])
def test_a_request_that_is_refused_or_ignored_is_not_sent_again(answer: Response | None) -> None:
    assert keep_alive_methods(answer, None) == ["GET_PARAMETER", "OPTIONS", "OPTIONS"]


def test_a_refusal_says_more_than_public() -> None:
    replies = Response(501), reply(Public="GET_PARAMETER")
    assert keep_alive_methods(*replies) == ["GET_PARAMETER", "OPTIONS", "OPTIONS"]


def test_a_keep_alive_that_needs_a_login_is_told() -> None:
    dialogue = StandardDialogue(parse_url("rtsp://host/movie.Mjpeg"))
    dialogue.keep_alive(is_ignored=False)
    with pytest.raises(SessionError):
        dialogue.kept_alive(Response(401))


def test_a_lab_server_is_asked_for_nothing_that_it_does_not_know() -> None:
    dialogue = LabDialogue("movie.Mjpeg")
    assert dialogue.keep_alive(is_ignored=False) is None
    assert dialogue.answer(Request("OPTIONS", "*")) is None
    assert not dialogue.can_seek
    assert dialogue.timeout is None
