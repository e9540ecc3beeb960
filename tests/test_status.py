"""What the player says, by its state."""

from __future__ import annotations

import pytest

from rtplab.player.model.status import NOTHING, PlayerState, Tone, clock, headline_for
from rtplab.protocol.rtsp.states import State

MOVIE = "movie.Mjpeg"


def said(**state) -> str:
    return headline_for(PlayerState(movie=MOVIE, **state)).title


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
        now = PlayerState(
            state=State.PLAYING, has_picture=has_picture, silence=9, damage="not a JPEG\n"
        )
        message = headline_for(now)
        assert message.tone is Tone.BAD
        assert r"not a JPEG\n" in message.detail
    assert "decoded" not in headline_for(now._replace(state=State.READY)).detail


def test_nothing_is_said_over_a_picture_while_a_reply_is_awaited():
    assert headline_for(PlayerState(state=State.PLAYING, waiting=True, has_picture=True)) == NOTHING


def test_an_error_is_shown_with_its_sentence():
    sentence = "The server has no movie named x: check the name."
    message = headline_for(PlayerState(error=sentence))
    assert message.tone is Tone.BAD
    assert message.detail.startswith(f"{sentence}\n") and "Setup" in message.detail
    assert headline_for(PlayerState(state=State.PLAYING, error=sentence)).detail == sentence
    told = "The server is gone (Broken pipe): press Setup."
    assert headline_for(PlayerState(error=told)).detail == told


def test_who_gives_no_password_is_told_how_to_be_asked_again():
    sentence = "The server asks for a user name and a password."
    message = headline_for(PlayerState(error=sentence, needs_password=True))
    assert (message.title, message.tone) == ("Log in", Tone.CALM)
    assert message.detail.startswith(f"{sentence}\n") and "Setup" in message.detail


def test_a_lost_connection_is_called_so_whatever_the_sentence_says():
    assert said(error="Nothing arrives any more.", is_lost=True) == "Connection lost"
    assert said(error="The movie is lost, and the server is gone.") == "No session"


def test_reconnecting_says_when():
    trouble = "The server closed the connection."
    message = headline_for(PlayerState(error=trouble, reconnecting_in=1.2, attempt=2))
    assert message.title == "Reconnecting …"
    assert message.detail == f"{trouble}\nAttempt 2, in 2 s."
    assert "now" in headline_for(PlayerState(error=trouble, reconnecting_in=0.0, attempt=1)).detail


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (5.9, "0:05"), (65, "1:05"), (3723, "1:02:03"), (-1, "0:00"), (59.99967, "1:00")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text
