"""What the player says, by situation."""

from __future__ import annotations

import pytest

from rtplab.player.model.status import NOTHING, Situation, Tone, clock, message_for, time_line
from rtplab.protocol.rtsp.states import State

MOVIE = "movie.Mjpeg"


def said(**situation) -> str:
    return message_for(Situation(movie=MOVIE, **situation)).headline


def test_every_state_has_its_words():
    assert said() == "No session"
    assert said(waiting=True) == "Asking the server …"
    assert said(state=State.READY) == "Ready to play"
    assert said(state=State.PLAYING) == "Buffering …"
    assert said(state=State.PLAYING, has_picture=True) == ""
    assert said(state=State.READY, has_picture=True) == ""
    assert said(state=State.PLAYING, has_picture=True, silence=3) == "Stalled"
    assert said(state=State.READY, has_picture=True, ended=True) == "The end"


def test_frames_that_can_not_be_decoded_are_told():
    """Before a picture, or after the last one that could."""
    for has_picture in (True, False):
        now = Situation(
            state=State.PLAYING, has_picture=has_picture, silence=9, damage="not a JPEG\n"
        )
        message = message_for(now)
        assert message.tone is Tone.BAD
        assert "decoded: not a JPEG\\n." in message.detail
    assert "decoded" not in message_for(now._replace(state=State.READY)).detail


def test_nothing_is_said_over_a_picture_while_a_reply_is_awaited():
    assert message_for(Situation(state=State.PLAYING, waiting=True, has_picture=True)) == NOTHING


def test_an_error_is_shown_with_its_sentence():
    sentence = "The server has no movie named x: check the name."
    message = message_for(Situation(error=sentence))
    assert message.tone is Tone.BAD
    assert message.detail == f"{sentence}\nPress Setup to try again, or o to open something else."
    assert message_for(Situation(state=State.PLAYING, error=sentence)).detail == sentence
    told = "The server is gone (Broken pipe): press Setup."
    assert message_for(Situation(error=told)).detail == told


def test_who_gives_no_password_is_told_how_to_be_asked_again():
    sentence = "The server asks for a user name and a password."
    message = message_for(Situation(error=sentence, needs_password=True))
    assert (message.headline, message.tone) == ("Log in", Tone.CALM)
    assert message.detail == f"{sentence}\nPress Setup to be asked again."


def test_a_lost_connection_is_called_so():
    assert said(error="The server has closed the connection.") == "Connection lost"


def test_reconnecting_says_when():
    trouble = "The server has closed the connection."
    message = message_for(Situation(error=trouble, reconnecting_in=1.2, attempt=2))
    assert message.headline == "Reconnecting …"
    assert message.detail == f"{trouble}\nAttempt 2, in 2 s."
    assert "now" in message_for(Situation(error=trouble, reconnecting_in=0.0, attempt=1)).detail


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (5.9, "0:05"), (65, "1:05"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_time_line():
    assert time_line(5, 25.0) == "0:05 / 0:25"
    assert time_line(5, None) == "0:05"
