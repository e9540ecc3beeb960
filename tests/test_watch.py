"""What a client waits for, and what is due: told the time, and what has come until then."""

from __future__ import annotations

import pytest

from rtplab.protocol.rtsp.messages import Dialect, Headers, Request, Response
from rtplab.receiving.rtsp.watch import (
    GAPS,
    HELD_UP,
    Answers,
    Due,
    Expected,
    TimeLimits,
    Watch,
)

LIMITS = TimeLimits()
IDLE = Expected()
PLAYING = Expected(session=True, pictures=True)


def reply_to(number):
    return Response(200, Headers([]), cseq=str(number))


def request(number, dialect=Dialect.STANDARD):
    return Request("PLAY", "x", cseq=str(number), dialect=dialect)


def awaiting(number, dialect=Dialect.STANDARD):
    watch = Watch(LIMITS)
    watch.expect_reply(request(number, dialect), 100.0)
    return watch


def asked(number=7):
    """A keep-alive has been sent at 100.0."""
    watch = Watch(LIMITS)
    watch.session_timeout = 60.0
    watch.sent(100.0)
    watch.keep_alive_sent(request(number), 100.0)
    return watch


# --- The reply to a request ----------------------------------------------------------------------


def test_nothing_is_awaited_before_a_request():
    watch = Watch(LIMITS)
    assert not watch.awaits_reply
    assert watch.deadline(IDLE) is None
    assert watch.take(reply_to("")) is Answers.NOTHING
    assert watch.check(1e9, IDLE) == []


def test_a_reply_is_awaited_until_it_comes():
    watch = awaiting(3)
    assert watch.awaits_reply
    assert watch.deadline(IDLE) == 100.0 + LIMITS.reply
    assert watch.take(reply_to(" 3 ")) is Answers.REQUEST
    assert not watch.awaits_reply
    assert watch.deadline(IDLE) is None
    assert watch.take(reply_to(3)) is Answers.NOTHING, "it has come already"


@pytest.mark.parametrize(("number", "is_taken"), [("3", True), ("", True), ("2", False)])
def test_in_the_standard_dialect_the_number_tells(number, is_taken):
    assert (awaiting(3).take(reply_to(number)) is Answers.REQUEST) is is_taken


@pytest.mark.parametrize("number", ["3", "", "1", "seven"])
def test_in_the_lab_dialect_the_order_tells(number):
    assert awaiting(3, Dialect.LAB).take(reply_to(number)) is Answers.REQUEST


def test_a_reply_that_has_not_come_in_time_is_due_once():
    watch = awaiting(3)
    assert watch.check(99.9 + LIMITS.reply, IDLE) == []
    assert watch.check(100.0 + LIMITS.reply, IDLE) == [Due.NO_REPLY]
    assert not watch.awaits_reply
    assert watch.unanswered_method == "PLAY"
    assert watch.check(1e9, IDLE) == []


def test_a_lab_reply_that_was_given_up_is_not_taken_for_the_next():
    watch = awaiting(1, Dialect.LAB)
    watch.check(100.0 + LIMITS.reply, IDLE)
    watch.expect_reply(request(2, Dialect.LAB), 110.0)
    assert watch.take(reply_to(1)) is Answers.NOTHING
    assert watch.take(reply_to(2)) is Answers.REQUEST


def test_limits_are_the_client_s_own():
    watch = Watch(TimeLimits(reply=0.5))
    watch.expect_reply(request(1), 100.0)
    assert watch.deadline(IDLE) == 100.5


# --- Pictures ------------------------------------------------------------------------------------


def playing():
    watch = Watch(LIMITS)
    watch.begin_playing(100.0)
    return watch


def test_silence_counts_from_play_or_from_the_last_picture():
    watch = playing()
    assert watch.deadline(PLAYING) == 100.0 + LIMITS.silence
    watch.picture(90.0)  # of before
    assert watch.deadline(PLAYING) == 100.0 + LIMITS.silence
    watch.picture(103.0)
    assert watch.deadline(PLAYING) == 103.0 + LIMITS.silence


@pytest.mark.parametrize(
    ("gap", "limit"),
    [(0.0, LIMITS.silence), (6.7, GAPS * 6.7), (1e9, LIMITS.longest_silence)],
)
def test_a_slow_stream_may_be_silent_for_longer(gap, limit):
    watch, expected = playing(), PLAYING._replace(longest_gap=gap)
    watch.picture(110.0)
    assert watch.silence_limit(expected) == limit
    assert watch.deadline(expected) == 110.0 + limit
    assert watch.check(109.9 + limit, expected) == []
    assert watch.check(110.0 + limit, expected) == [Due.NO_PICTURE]


def test_no_picture_is_missed_where_none_is_expected():
    watch = playing()
    assert watch.deadline(Expected(session=True)) is None
    assert watch.check(100.0 + LIMITS.silence, Expected(session=True)) == []


def test_a_client_that_was_suspended_listens_for_as_long_again():
    """What has come meanwhile is still to be read."""
    watch = playing()
    awake = 100.1 + LIMITS.silence + HELD_UP
    assert watch.check(awake, PLAYING) == []
    assert watch.check(awake + LIMITS.silence - 0.1, PLAYING) == []
    assert watch.check(awake + LIMITS.silence, PLAYING) == [Due.NO_PICTURE]


# --- Signs of life -------------------------------------------------------------------------------

SESSION = Expected(session=True)


def test_a_request_is_due_after_half_of_the_session_s_time_out():
    watch = Watch(LIMITS)
    watch.sent(100.0)
    assert watch.deadline(SESSION) is None, "a lab server waits for ever"
    watch.session_timeout = 60.0
    assert watch.deadline(SESSION) == 130.0
    assert watch.check(129.9, SESSION) == []
    assert watch.check(130.0, SESSION) == [Due.KEEP_ALIVE]
    assert watch.check(130.0, IDLE) == []


def test_the_number_tells_which_reply_is_meant():
    watch = asked(7)
    watch.expect_reply(request(8), 100.0)
    assert watch.take(reply_to(7)) is Answers.KEEP_ALIVE
    assert watch.take(reply_to(7)) is Answers.NOTHING, "it has been answered"
    assert watch.take(reply_to(8)) is Answers.REQUEST


@pytest.mark.parametrize("number", ["3", "", "x"])
def test_a_reply_to_nothing_else_answers_it(number):
    assert asked(7).take(reply_to(number)) is Answers.KEEP_ALIVE


def test_one_that_is_not_answered_is_not_the_last():
    watch = asked()
    assert watch.check(130.0, SESSION) == [Due.KEEP_ALIVE]
    assert watch.keep_alive_is_ignored(130.0)


def test_one_question_is_enough_until_it_is_ignored():
    watch = asked()
    assert watch.is_asking(104.9)
    assert not watch.is_asking(100.0 + LIMITS.reply)
    assert not watch.keep_alive_is_ignored(104.9)
    watch.take(reply_to(7))
    assert not watch.is_asking(104.9)
    assert not watch.keep_alive_is_ignored(1e9)


def test_a_server_that_says_nothing_is_lost():
    watch = asked()
    watch.expect_sign_of_life(100.0)
    assert watch.deadline(SESSION) == 100.0 + LIMITS.loss
    assert watch.check(99.9 + LIMITS.loss, IDLE) == []
    assert watch.check(100.0 + LIMITS.loss, IDLE) == [Due.LOST]
    assert watch.check(1e9, IDLE) == []


SIGNS_OF_LIFE = {
    "a picture": lambda watch: watch.picture(101.0),
    "the answer": lambda watch: watch.take(reply_to(7)),
    "any reply": lambda watch: watch.take(reply_to(99)),
    "a question": lambda watch: watch.is_alive(),
}


@pytest.mark.parametrize("sign", SIGNS_OF_LIFE)
def test_a_server_that_says_something_is_not(sign):
    watch = asked()
    watch.expect_sign_of_life(100.0)
    SIGNS_OF_LIFE[sign](watch)
    assert watch.check(1e9, IDLE) == []


def test_of_another_server_nothing_is_known():
    watch = asked()
    watch.expect_sign_of_life(100.0)
    watch.begin_session()
    assert watch.deadline(SESSION) is None
    assert watch.take(reply_to(7)) is Answers.NOTHING


@pytest.mark.parametrize("due", [Due.NO_REPLY, Due.LOST])
def test_what_has_come_is_read_before_anything_is_given_up_but_once(due):
    def begin(now):
        if due is Due.NO_REPLY:
            watch.expect_reply(request(1), now)
        else:
            watch.expect_sign_of_life(now)

    watch = Watch(LIMITS)
    for now in (100.0, 200.0):
        begin(now)
        late = watch.deadline(IDLE)
        assert watch.check(late, IDLE, has_more=lambda: True) == []
        assert watch.deadline(IDLE) == late + HELD_UP
        assert watch.check(late + HELD_UP, IDLE, has_more=lambda: True) == [due]
