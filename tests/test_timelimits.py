"""How long a client waits for what: told the time, and what has come until then."""

from __future__ import annotations

import pytest

from rtplab.protocol.errors import SessionError
from rtplab.protocol.rtsp.messages import Dialect, Headers, Request, Response
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.rtsp.labdialogue import LabDialogue
from rtplab.receiving.rtsp.standarddialogue import StandardDialogue
from rtplab.receiving.rtsp.timelimits import (
    GAPS,
    HELD_UP,
    LONGEST_SILENCE,
    LOSS_TIMEOUT,
    REPLY_TIMEOUT,
    SILENCE_TIMEOUT,
    AwaitedReply,
    KeepAlive,
    Silence,
    is_past,
)


def reply_to(number, status=200, headers=()):
    return Response(status, Headers(list(headers)), cseq=str(number))


def test_a_deadline_passes_when_it_is_reached():
    assert not is_past(5.0, 4.9)
    assert is_past(5.0, 5.0)
    assert not is_past(None, 1e9)


# --- The reply to a request ----------------------------------------------------------------------


def awaiting(number, dialect=Dialect.STANDARD):
    awaited = AwaitedReply()
    awaited.expect(Request("PLAY", "x", cseq=str(number), dialect=dialect), 100.0)
    return awaited


def test_no_reply_is_awaited_before_a_request():
    awaited = AwaitedReply()
    assert awaited.deadline is None
    assert not awaited.take(reply_to(""))


def test_a_reply_is_awaited_until_it_comes():
    awaited = awaiting(3)
    assert awaited.deadline == 100.0 + REPLY_TIMEOUT
    assert awaited.take(reply_to(" 3 "))
    assert awaited.deadline is None
    assert not awaited.take(reply_to(3)), "it has come already"


@pytest.mark.parametrize(("number", "is_taken"), [("3", True), ("", True), ("2", False)])
def test_in_the_standard_dialect_the_number_tells(number, is_taken):
    assert awaiting(3).take(reply_to(number)) is is_taken


@pytest.mark.parametrize("number", ["3", "", "1", "seven"])
def test_in_the_lab_dialect_the_order_tells(number):
    assert awaiting(3, Dialect.LAB).take(reply_to(number))


def test_a_lab_reply_that_was_given_up_is_not_taken_for_the_next():
    awaited = awaiting(1, Dialect.LAB)
    awaited.give_up()
    assert awaited.deadline is None
    awaited.expect(Request("PLAY", "x", cseq="2", dialect=Dialect.LAB), 110.0)
    assert not awaited.take(reply_to(1))
    assert awaited.take(reply_to(2))


# --- Packets -------------------------------------------------------------------------------------


def test_silence_counts_from_play_or_from_the_last_packet():
    silence = Silence()
    silence.begin(100.0)
    assert silence.deadline(None) == silence.deadline(90.0) == 100.0 + SILENCE_TIMEOUT
    assert silence.deadline(103.0) == 103.0 + SILENCE_TIMEOUT


@pytest.mark.parametrize(
    ("gap", "limit"), [(0.0, SILENCE_TIMEOUT), (6.7, GAPS * 6.7), (1e9, LONGEST_SILENCE)]
)
def test_who_sends_slowly_may_be_silent_for_longer(gap, limit):
    silence = Silence()
    silence.begin(100.0)
    assert silence.deadline(110.0, gap) == 110.0 + limit
    assert not silence.is_too_long(109.9 + limit, 110.0, gap)
    assert silence.is_too_long(110.0 + limit, 110.0, gap)


def test_silence_is_too_long_after_its_time():
    silence = Silence()
    silence.begin(100.0)
    assert not silence.is_too_long(99.9 + SILENCE_TIMEOUT, None)
    assert silence.is_too_long(100.0 + SILENCE_TIMEOUT, None)


def test_who_was_suspended_listens_for_as_long_again():
    """What has come meanwhile is still to be read."""
    silence = Silence()
    silence.begin(100.0)
    awake = 100.1 + SILENCE_TIMEOUT + HELD_UP
    assert not silence.is_too_long(awake, 100.0)
    assert not silence.is_too_long(awake + SILENCE_TIMEOUT - 0.1, 100.0)
    assert silence.is_too_long(awake + SILENCE_TIMEOUT, 100.0)


# --- Signs of life -------------------------------------------------------------------------------


class Wire:
    """What is sent, numbered from 1."""

    def __init__(self):
        self.requests = []

    def send(self, request):
        self.requests.append(request)
        request.cseq = str(len(self.requests))

    @property
    def methods(self):
        return [request.method for request in self.requests]


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def keep_alive(wire):
    dialogue = StandardDialogue(parse_url("rtsp://ann:secret@host/movie.Mjpeg"))
    dialogue.timeout = 60.0
    return KeepAlive(dialogue, wire.send)


def test_a_request_is_due_after_half_of_the_session_s_time_out(keep_alive):
    keep_alive.request_sent(100.0)
    assert keep_alive.deadline() == 130.0


def test_the_number_tells_which_reply_is_meant(keep_alive, wire):
    keep_alive.send(100.0)
    assert not keep_alive.take(reply_to(7), 101.0)
    assert keep_alive.take(reply_to(1), 101.0)
    assert not keep_alive.take(reply_to(1), 101.0), "it has been answered"
    assert wire.methods == ["GET_PARAMETER"]


@pytest.mark.parametrize("number", ["7", "", "x"])
def test_a_reply_to_nothing_else_answers_it(keep_alive, wire, number):
    assert not keep_alive.take_stray(reply_to(number), 100.0)
    keep_alive.ask_if_still_there(100.0)
    assert keep_alive.take_stray(reply_to(number, 400), 101.0)
    assert keep_alive.loss_deadline is None
    keep_alive.send(130.0)
    assert wire.methods == ["GET_PARAMETER", "OPTIONS"]


def test_one_that_is_not_answered_is_not_the_last(keep_alive, wire):
    keep_alive.request_sent(100.0)
    keep_alive.send(130.0)
    assert keep_alive.deadline() is not None
    keep_alive.send(160.0)
    keep_alive.ask_if_still_there(190.0)
    assert wire.methods == ["GET_PARAMETER", "OPTIONS", "OPTIONS"]


def test_a_deadline_is_put_off_once(keep_alive):
    awaited = awaiting(3)
    for waiting in (awaited, keep_alive):
        assert waiting.extend(200.0)
        assert not waiting.extend(201.0)
    assert awaited.deadline == keep_alive.loss_deadline == 200.0 + HELD_UP
    keep_alive.ask_if_still_there(300.0)
    assert keep_alive.extend(310.0)
    awaited.expect(Request("PAUSE", "x", cseq="4"), 300.0)
    assert awaited.extend(310.0)


@pytest.mark.parametrize(
    ("public", "method"),
    [
        ("OPTIONS, DESCRIBE,SETUP ,PLAY", "OPTIONS"),
        ("options, get_parameter", "GET_PARAMETER"),
        ("SET_PARAMETER, X_GET_PARAMETER", "OPTIONS"),
        ("", "GET_PARAMETER"),
    ],
)
def test_public_tells_which_request_is_known(keep_alive, wire, public, method):
    keep_alive.send(100.0)
    keep_alive.take(reply_to(1, headers=[("Public", public)]), 101.0)
    keep_alive.send(130.0)
    assert wire.methods[1] == method


def test_a_refusal_says_more_than_public(keep_alive, wire):
    keep_alive.send(100.0)
    keep_alive.take(reply_to(1, 501), 101.0)
    keep_alive.send(130.0)
    keep_alive.take(reply_to(2, headers=[("Public", "GET_PARAMETER")]), 131.0)
    keep_alive.send(160.0)
    assert wire.methods == ["GET_PARAMETER", "OPTIONS", "OPTIONS"]


def test_who_does_not_know_the_request_is_sent_another(keep_alive, wire):
    keep_alive.send(100.0)
    assert keep_alive.take(reply_to(1, 501), 101.0)
    keep_alive.send(100.0)
    assert wire.methods == ["GET_PARAMETER", "OPTIONS"]


def test_a_silent_server_must_answer_in_time(keep_alive, wire):
    keep_alive.ask_if_still_there(100.0)
    assert keep_alive.loss_deadline == 100.0 + LOSS_TIMEOUT
    assert keep_alive.take(reply_to(1), 101.0)
    assert keep_alive.loss_deadline is None
    assert len(wire.requests) == 1


def test_one_question_is_enough(keep_alive, wire):
    keep_alive.send(100.0)
    keep_alive.ask_if_still_there(100.0)
    assert len(wire.requests) == 1
    assert keep_alive.loss_deadline is not None


def test_a_packet_is_an_answer_too(keep_alive):
    keep_alive.ask_if_still_there(100.0)
    keep_alive.server_is_there()
    assert keep_alive.loss_deadline is None


def test_a_refused_keep_alive_is_told(keep_alive):
    keep_alive.send(100.0)
    with pytest.raises(SessionError):
        keep_alive.take(reply_to(1, 401), 101.0)
    assert not keep_alive.take(reply_to(1), 101.0), "it has been answered"


def test_a_lab_server_is_never_asked(wire):
    keep_alive = KeepAlive(LabDialogue("movie.Mjpeg"), wire.send)
    keep_alive.send(100.0)
    keep_alive.ask_if_still_there(100.0)
    assert wire.requests == []
    assert keep_alive.deadline() is keep_alive.loss_deadline is None
